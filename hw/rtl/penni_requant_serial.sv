/// total_o = sum*M + skip*SKIP_K + bias without a multiplier: two bits of M and of SKIP_K per cycle, lowest first.
///
/// Digits of base 4 are -1, 0, 1 or 2 (a 3 is -1 and a carry), so each costs one adder; MW/2 + 1 digits, and as many
/// cycles per value. With each digit the total moves down by two bits, so that the adder is no wider than the bias.
///
/// step_i: skip_data_i is taken. read_i, first_i, start_i: two cycles before sum_i, with it, two cycles after. Constants
/// are there from the cycle after read_i, for MW/2 cycles at least. total_o is complete MW/2 + 3 cycles after sum_i, for
/// one cycle.
module penni_requant_serial #(
    parameter int unsigned ACCW = 20,
    parameter int unsigned MW = 16,
    parameter int unsigned BW = 32,
    parameter int unsigned DW = 21,  // of a digit's product
    parameter int unsigned IW = 49,
    parameter bit SKIP = 1'b0,
    parameter int unsigned SKIPW = 8,
    parameter bit SKIP_SIGNED = 1'b0,
    parameter int unsigned SKIP_K = 0
) (
    input  logic                   clk_i,
    input  logic                   step_i,
    input  logic                   read_i,
    input  logic                   first_i,
    input  logic                   start_i,
    input  logic signed [ACCW-1:0] sum_i,
    input  logic [MW-1:0]          multiplier_i,
    input  logic signed [BW-1:0]   bias_i,
    input  logic [SKIPW-1:0]       skip_data_i,
    output logic signed [IW-1:0]   total_o
);
  localparam int unsigned DIGITS = MW / 2 + 1;
  localparam int unsigned LOWW = 2 * DIGITS;  // of what has moved out below; synthesis drops what SHIFT drops
  localparam int unsigned SW = IW - LOWW + 2;  // of the adder
  localparam int unsigned CW = $clog2(DIGITS + 1);
  localparam int unsigned PADDED = 2 << CW;  // bits that the counter of digits can reach
  localparam logic [1:0] NEGATED = 2'b11;  // codes of digits: 0, 1, 2 as they are

  // {carry, code} of a digit of base 4 with a carry from the one below.
  function automatic logic [2:0] coded(input logic [1:0] digit, input logic carry);
    if (digit == 2'd3) coded = carry ? 3'b100 : 3'b111;
    else coded = {1'b0, digit + {1'b0, carry}} == 3'd3 ? 3'b111 : {1'b0, digit + {1'b0, carry}};
  endfunction

  // The codes of a constant's digits.
  function automatic logic [LOWW-1:0] codes(input int unsigned value);
    logic [2:0] digit;
    digit = '0;
    for (int unsigned i = 0; i < DIGITS; i++) begin
      digit = coded(2'(value >> (2 * i)), digit[2]);
      codes[2*i+:2] = digit[1:0];
    end
  endfunction

  // ---- Codes of the multiplier's digits, one per cycle --------------------------------------------------------------
  logic [CW-1:0]     digit_q;
  logic [PADDED-1:0] padded;
  logic [2:0]        code;
  logic              carry_q;
  logic [1:0]        bits_q, code_q;
  assign padded = PADDED'(multiplier_i);
  assign code   = coded(bits_q, carry_q && !first_i);
  always_ff @(posedge clk_i) begin
    digit_q <= read_i ? '0 : digit_q + 1'b1;
    bits_q  <= padded[{digit_q, 1'b0}+:2];
    {carry_q, code_q} <= code;
  end

  // ---- digit * sum, digit * skip ------------------------------------------------------------------------------------
  logic signed [ACCW-1:0] sum_q;
  logic signed [DW-1:0]   scaled, product_q;
  logic                   negated_q;
  always_ff @(posedge clk_i) begin
    if (first_i) sum_q <= sum_i;
    negated_q <= code_q == NEGATED;
  end
  assign scaled = (code_q == NEGATED) ? DW'(~sum_q) : code_q[1] ? DW'($signed({sum_q, 1'b0})) : code_q[0] ? DW'(sum_q) : '0;

  if (SKIP) begin : gen_skip
    localparam logic [LOWW-1:0] CODES = codes(SKIP_K);
    logic [PADDED-1:0]      padded_codes;
    logic [1:0]             skip_bits_q, skip_code_q;
    logic signed [SKIPW:0]  held_q, skip_q;
    logic signed [DW-1:0]   skipped;
    logic                   unused;
    assign padded_codes = PADDED'(CODES);
    assign skipped = (skip_code_q == NEGATED) ? DW'(~skip_q) : skip_code_q[1] ? DW'($signed({skip_q, 1'b0}))
                   : skip_code_q[0] ? DW'(skip_q) : '0;
    // The lowest bit of each adder makes the carry that completes a negation.
    always_ff @(posedge clk_i) begin
      if (step_i) held_q <= {SKIP_SIGNED && skip_data_i[SKIPW-1], skip_data_i};
      if (first_i) skip_q <= held_q;
      skip_bits_q         <= padded_codes[{digit_q, 1'b0}+:2];
      skip_code_q         <= skip_bits_q;
      {product_q, unused} <= {skipped, skip_code_q == NEGATED} + {scaled, 1'b1};
    end
  end else begin : gen_no_skip
    always_ff @(posedge clk_i) product_q <= scaled;
    logic unused;
    assign unused = ^{step_i, skip_data_i};
  end

  // ---- The total, moving down ---------------------------------------------------------------------------------------
  logic signed [BW-1:0]   bias_q;
  logic signed [SW-1:0]   earlier, sum;
  logic                   unused_carry;
  assign earlier = start_i ? SW'(bias_q) : SW'($signed(total_o[IW-1:LOWW]));
  assign {sum, unused_carry} = {SW'(product_q), negated_q} + {earlier, 1'b1};
  always_ff @(posedge clk_i) begin
    bias_q  <= bias_i;
    total_o <= {sum, total_o[LOWW-1:2]};
  end
endmodule
