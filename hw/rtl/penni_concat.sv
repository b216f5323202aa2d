/// y[p] = the C0 channels of the first stream's pixel p, then the C1 channels of the second stream's.
///
/// Beats: pixels in raster order, channels within a pixel. Latency 0: the value passes straight through, so valid
/// depends on the valid of the input whose channel it is, and the ready of that input on out_ready_i.
module penni_concat #(
    /* verilator lint_off UNUSEDPARAM */
    parameter int unsigned PIXELS = 4,  // per frame: for the C++ loops, not used by the hardware
    /* verilator lint_on UNUSEDPARAM */
    parameter int unsigned C0 = 2,
    parameter int unsigned C1 = 2,
    parameter int unsigned XW = 8
) (
    input  logic          clk_i,
    input  logic          rst_ni,
    input  logic          in_valid_i,
    output logic          in_ready_o,
    input  logic [XW-1:0] in_data_i,
    input  logic          second_valid_i,
    output logic          second_ready_o,
    input  logic [XW-1:0] second_data_i,
    output logic          out_valid_o,
    input  logic          out_ready_i,
    output logic [XW-1:0] out_data_o
);
  localparam int unsigned CW = $clog2(C0 + C1);
  logic [CW-1:0] channel_q;
  logic          from_second;

  assign from_second    = channel_q >= CW'(C0);
  assign in_ready_o     = out_ready_i && !from_second;
  assign second_ready_o = out_ready_i && from_second;
  assign out_valid_o    = from_second ? second_valid_i : in_valid_i;
  assign out_data_o     = from_second ? second_data_i : in_data_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) channel_q <= '0;
    else if (out_valid_o && out_ready_i) begin
      channel_q <= (channel_q == CW'(C0 + C1 - 1)) ? '0 : channel_q + 1'b1;
    end
  end
endmodule
