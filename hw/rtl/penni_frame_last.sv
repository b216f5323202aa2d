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

  if (BEATS == 1) begin : gen_always
    assign last_o = 1'b1;
    logic unused;
    assign unused = ^{clk_i, rst_ni, valid_i, ready_i};
  end else begin : gen_counter
    logic [NW-1:0] left_q;  // beats before the frame's last one
    logic          last_q;
    assign last_o = last_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        left_q <= NW'(BEATS - 1);
        last_q <= 1'b0;
      end else if (valid_i && ready_i) begin
        left_q <= last_q ? NW'(BEATS - 1) : left_q - 1'b1;
        last_q <= left_q == NW'(1);
      end
    end
  end
endmodule
