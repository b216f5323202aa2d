/// Images to COPIES readers by turns: BEATS words go to reader 0, the next BEATS to reader 1, and so on, then to reader 0
/// again.
///
/// Latency 0: the valid of the reader whose turn it is is in_valid_i; in_ready_o is its out_ready_i.
module penni_deal #(
    parameter int unsigned XW = 8,
    parameter int unsigned COPIES = 2,
    parameter int unsigned BEATS = 4
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
  localparam int unsigned BW = (BEATS > 1) ? $clog2(BEATS) : 1;
  logic [BW-1:0]     beat_q;
  logic [COPIES-1:0] turn_q;  // one-hot

  assign out_valid_o = turn_q & {COPIES{in_valid_i}};
  assign in_ready_o  = |(turn_q & out_ready_i);
  assign out_data_o  = in_data_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      beat_q <= '0;
      turn_q <= COPIES'(1);
    end else if (in_valid_i && in_ready_o) begin
      beat_q <= (beat_q == BW'(BEATS - 1)) ? '0 : beat_q + 1'b1;
      if (beat_q == BW'(BEATS - 1)) turn_q <= {turn_q[COPIES-2:0], turn_q[COPIES-1]};
    end
  end
endmodule
