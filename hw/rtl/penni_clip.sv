/// y = min(max(x, LO), HI), in YW bits, which hold LO and HI.
///
/// One beat per cycle; latency 1. Outputs are registered; in_ready_o depends on out_ready_i.
module penni_clip #(
    parameter int unsigned XW = 8,
    parameter bit X_SIGNED = 1'b1,
    parameter int unsigned YW = 7,
    parameter int LO = 0,
    parameter int HI = 127,
    /* verilator lint_off UNUSEDPARAM */
    parameter int unsigned BEATS = 1  // per frame: for the C++ loops, not used by the hardware
    /* verilator lint_on UNUSEDPARAM */
) (
    input  logic          clk_i,
    input  logic          rst_ni,
    input  logic          in_valid_i,
    output logic          in_ready_o,
    input  logic [XW-1:0] in_data_i,
    output logic          out_valid_o,
    input  logic          out_ready_i,
    output logic [YW-1:0] out_data_o
);
  localparam logic signed [XW:0] LOWEST = (XW + 1)'(LO);
  localparam logic signed [XW:0] HIGHEST = (XW + 1)'(HI);

  logic               en;
  logic signed [XW:0] x;

  assign en         = !out_valid_o || out_ready_i;
  assign in_ready_o = en;
  assign x          = $signed({X_SIGNED && in_data_i[XW-1], in_data_i});

  always_ff @(posedge clk_i) begin
    if (!rst_ni) out_valid_o <= 1'b0;
    else if (en) out_valid_o <= in_valid_i;
  end

  always_ff @(posedge clk_i) begin
    if (en) begin
      if (x < LOWEST) out_data_o <= YW'(LO);
      else if (x > HIGHEST) out_data_o <= YW'(HI);
      else out_data_o <= YW'(in_data_i);
    end
  end
endmodule
