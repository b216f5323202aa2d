/// One stream to COPIES readers. An input beat is accepted once every reader has taken it; no reader waits for the
/// ready of another.
///
/// Latency 0: out_valid_o is high where in_valid_i is and this reader has not taken the beat yet; in_ready_o depends on
/// out_ready_i.
module penni_fork #(
    parameter int unsigned XW = 8,
    parameter int unsigned COPIES = 2,
    /* verilator lint_off UNUSEDPARAM */
    parameter int unsigned BEATS = 1  // per frame: for the C++ loops, not used by the hardware
    /* verilator lint_on UNUSEDPARAM */
) (
    input  logic              clk_i,
    input  logic              rst_ni,
    input  logic              in_valid_i,
    output logic              in_ready_o,
    input  logic [XW-1:0]     in_data_i,
    output logic [COPIES-1:0] out_valid_o,
    input  logic [COPIES-1:0] out_ready_i,
    output logic [XW-1:0]     out_data_o
);
  logic [COPIES-1:0] taken_q, taken_d;

  assign taken_d     = taken_q | (out_ready_i & {COPIES{in_valid_i}});
  assign in_ready_o  = &(taken_q | out_ready_i);
  assign out_valid_o = {COPIES{in_valid_i}} & ~taken_q;
  assign out_data_o  = in_data_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) taken_q <= '0;
    else taken_q <= (&taken_d) ? '0 : taken_d;
  end
endmodule
