/// Results to AXI4-Stream: TLAST with the last word of an image of which the flag is set, and with no other.
///
/// Flags come one for each image, in order; an image's last word waits for its flag, which is taken with it. Latency 1: ready_o
/// depends on registers and flag_valid_i only; what goes out comes from registers. image_o: the last word of an image leaves.
module penni_packet_out #(
    parameter int unsigned WIDTH = 32
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             valid_i,
    output logic             ready_o,
    input  logic [WIDTH-1:0] data_i,
    input  logic             last_i,   // of an image
    input  logic             flag_valid_i,
    output logic             flag_ready_o,
    input  logic             flag_i,
    output logic             valid_o,
    input  logic             ready_i,
    output logic [WIDTH-1:0] data_o,
    output logic             last_o,   // of a packet
    output logic             image_o
);
  logic free, flagged, image_last;
  assign flagged      = !last_i || flag_valid_i;
  assign ready_o      = free && flagged;
  assign flag_ready_o = free && valid_i && last_i;

  penni_fifo #(
      .WIDTH(WIDTH + 2),
      .DEPTH(2)
  ) u_words (
      .clk_i,
      .rst_ni,
      .in_valid_i(valid_i && flagged),
      .in_ready_o(free),
      .in_data_i({last_i, last_i && flag_i, data_i}),
      .out_valid_o(valid_o),
      .out_ready_i(ready_i),
      .out_data_o({image_last, last_o, data_o})
  );

  assign image_o = valid_o && ready_i && image_last;
endmodule
