/// Marks the last beat of each frame of BEATS beats on an observed stream: last_o belongs to the beat being offered.
module penni_frame_last #(
    parameter int unsigned BEATS = 10
) (
    input  logic clk_i,
    input  logic rst_ni,
    input  logic valid_i,
    input  logic ready_i,
    output logic last_o
);
  localparam int unsigned NW = $clog2(BEATS + 1);
  logic [NW-1:0] count_q;

  assign last_o = count_q == NW'(BEATS - 1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) count_q <= '0;
    else if (valid_i && ready_i) count_q <= last_o ? '0 : count_q + 1'b1;
  end
endmodule
