/// total_o = sum*M + bias, then plus skip*SKIP_K: one multiplier (a DSP48E1 with its adder) takes turns, two cycles a
/// value or more.
///
/// first_i comes with sum_i, start_i two cycles later; multiplier_i and bias_i are there with sum_i, skip_i one cycle
/// later. total_o is complete four cycles after sum_i.
module penni_requant_turns #(
    parameter int unsigned ACCW = 20,
    parameter int unsigned MW = 16,
    parameter int unsigned BW = 32,
    parameter int unsigned TOTALW = 40,
    parameter int unsigned SKIPW = 8,
    parameter bit SKIP_SIGNED = 1'b0,
    parameter int unsigned SKIP_K = 0
) (
    input  logic                     clk_i,
    input  logic                     first_i,
    input  logic                     start_i,
    input  logic signed [ACCW-1:0]   sum_i,
    input  logic [MW-1:0]            multiplier_i,
    input  logic signed [BW-1:0]     bias_i,
    input  logic [SKIPW-1:0]         skip_i,
    output logic signed [TOTALW-1:0] total_o
);
  localparam int unsigned AW = (ACCW > SKIPW) ? ACCW : SKIPW + 1;
  localparam int unsigned KW = $clog2(SKIP_K + 1);
  localparam int unsigned FW = ((MW > KW) ? MW : KW) + 1;  // with a sign bit
  logic signed [AW-1:0]     factor_q;
  logic signed [FW-1:0]     multiplier_q;
  logic signed [TOTALW-1:0] bias_q;
  /* verilator lint_off UNUSEDSIGNAL */  // the total is modulo 2^TOTALW
  logic signed [AW+FW-1:0]  product_q;
  /* verilator lint_on UNUSEDSIGNAL */

  always_ff @(posedge clk_i) begin
    factor_q     <= first_i ? AW'(sum_i) : AW'($signed({SKIP_SIGNED && skip_i[SKIPW-1], skip_i}));
    multiplier_q <= first_i ? FW'({1'b0, multiplier_i}) : FW'(SKIP_K);
    if (first_i) bias_q <= TOTALW'(bias_i);
    product_q <= factor_q * multiplier_q;
    total_o   <= TOTALW'(product_q) + (start_i ? bias_q : total_o);
  end
endmodule
