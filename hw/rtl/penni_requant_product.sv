/// total_o = sum*M + skip*SKIP_K + bias, one value per cycle, in a multiplier (DSP48E1) for each product.
///
/// multiplier_i and bias_i come one cycle before sum_i, skip_i two; total_o two cycles after sum_i. A DSP48E1 takes 25
/// bits of a sum; what is above the lower 24 of a wider one is multiplied in LUTs, one cycle more for each two bits.
module penni_requant_product #(
    parameter int unsigned ACCW = 20,
    parameter int unsigned MW = 16,
    parameter int unsigned BW = 32,
    parameter int unsigned TOTALW = 40,
    parameter bit SKIP = 1'b0,
    parameter int unsigned SKIPW = 8,
    parameter bit SKIP_SIGNED = 1'b0,
    parameter int unsigned SKIP_K = 0
) (
    input  logic                     clk_i,
    input  logic signed [ACCW-1:0]   sum_i,
    input  logic [MW-1:0]            multiplier_i,
    input  logic signed [BW-1:0]     bias_i,
    input  logic [SKIPW-1:0]         skip_i,
    output logic signed [TOTALW-1:0] total_o
);
  logic signed [MW:0]       multiplier_q;
  logic signed [BW-1:0]     bias_q;
  logic signed [TOTALW-1:0] addend;

  always_ff @(posedge clk_i) begin
    multiplier_q <= {1'b0, multiplier_i};
    bias_q       <= bias_i;
  end
  penni_addend #(
      .SKIP(SKIP), .SKIPW(SKIPW), .SKIP_SIGNED(SKIP_SIGNED), .SKIP_K(SKIP_K), .BW(BW), .TOTALW(TOTALW)
  ) u_addend (
      .clk_i, .en_i(1'b1), .skip_data_i(skip_i), .bias_i(bias_q), .addend_o(addend)
  );

  /* verilator lint_off UNUSEDSIGNAL */  // the total is modulo 2^TOTALW
  if (ACCW <= 25) begin : gen_whole
    logic signed [ACCW+MW:0] product_q;
    always_ff @(posedge clk_i) begin
      product_q <= sum_i * multiplier_q;
      total_o   <= TOTALW'(product_q) + addend;
    end
  end else begin : gen_parts
    // A chain: two bits of the upper part per stage are added to the addend; the lower part waits for its end.
    localparam int unsigned LOW = 24;
    localparam int unsigned DIGITS = (ACCW - LOW + 1) / 2;
    logic signed [2*DIGITS-1:0] high;
    logic signed [LOW:0]        low;
    logic signed [LOW+MW+1:0]   product_q;
    assign high = (2 * DIGITS)'(sum_i >>> LOW);
    for (genvar i = 0; i <= DIGITS; i++) begin : gen_stage
      logic signed [MW:0]       multiplier;
      logic signed [TOTALW-1:0] rest;
      if (i == 0) begin : gen_first
        assign multiplier = multiplier_q;
        assign rest       = addend;
      end else begin : gen_next
        logic [1:0]               digit;
        logic signed [MW:0]       multiplier_d_q;
        logic signed [MW+2:0]     one, two, digit_product_q;
        logic signed [TOTALW-1:0] rest_q;
        penni_delay #(
            .WIDTH(2), .CYCLES(i - 1)
        ) u_digit (
            .clk_i, .en_i(1'b1), .in_i(high[2*i-2+:2]), .out_o(digit)
        );
        assign one = digit[0] ? (MW + 3)'(gen_stage[i-1].multiplier) : '0;
        assign two = digit[1] ? (MW + 3)'(gen_stage[i-1].multiplier) <<< 1 : '0;
        always_ff @(posedge clk_i) begin
          multiplier_d_q  <= gen_stage[i-1].multiplier;
          digit_product_q <= (i == DIGITS) ? one - two : one + two;  // the sign is the highest bit
          rest_q          <= gen_stage[i-1].rest + (TOTALW'(digit_product_q) <<< (LOW + 2 * i - 2));
        end
        assign multiplier = multiplier_d_q;
        assign rest       = rest_q;
      end
    end
    penni_delay #(
        .WIDTH(LOW), .CYCLES(DIGITS)
    ) u_low (
        .clk_i, .en_i(1'b1), .in_i(sum_i[LOW-1:0]), .out_o(low[LOW-1:0])
    );
    assign low[LOW] = 1'b0;
    always_ff @(posedge clk_i) begin
      product_q <= low * gen_stage[DIGITS].multiplier;
      total_o   <= TOTALW'(product_q) + gen_stage[DIGITS].rest;
    end
  end
  /* verilator lint_on UNUSEDSIGNAL */
endmodule
