/// Cuts packets into images of WORDS words for the network, and tells for each image whether its packet ends with it.
///
/// A packet that ends within an image is filled up with zeros (short_o, for a cycle). An image's last word waits until flag_ready_i;
/// flag_valid_o is high in the cycle in which it is taken, with flag_o: TLAST of the packet. Latency 0; valid_o depends
/// on valid_i and registers, ready_o on ready_i too.
module penni_packet_in #(
    parameter int unsigned WIDTH = 8,   // of a word
    parameter int unsigned WORDS = 16
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             valid_i,
    output logic             ready_o,
    input  logic             byte_i,   // 0: the packet has ended, without a byte
    input  logic             whole_i,  // 0: the word has fewer bytes than it could, and zeros
    input  logic [WIDTH-1:0] data_i,
    input  logic             last_i,
    output logic             valid_o,
    input  logic             ready_i,
    output logic [WIDTH-1:0] data_o,
    output logic             flag_valid_o,
    input  logic             flag_ready_i,
    output logic             flag_o,
    output logic             in_image_o,
    output logic             short_o
);
  logic filling_q, in_image_q, pixel, taken, image_last, ended, missing;

  penni_frame_last #(
      .BEATS(WORDS)
  ) u_image_last (
      .clk_i,
      .rst_ni,
      .valid_i(valid_o),
      .ready_i,
      .last_o(image_last)
  );

  assign pixel        = filling_q || (valid_i && byte_i);
  assign valid_o      = pixel && (!image_last || flag_ready_i);
  assign data_o       = filling_q ? '0 : data_i;
  assign taken        = valid_o && ready_i;
  assign ready_o      = !filling_q && (!byte_i || (ready_i && (!image_last || flag_ready_i)));
  assign flag_valid_o = taken && image_last;
  assign flag_o       = filling_q || last_i;
  assign in_image_o   = in_image_q;

  // The packet has ended, and words of the image are missing: either with this word, or without one.
  assign ended   = valid_i && ready_o && last_i;
  assign missing = ended && (byte_i ? !image_last : in_image_q);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      filling_q  <= 1'b0;
      in_image_q <= 1'b0;
      short_o    <= 1'b0;
    end else begin
      filling_q <= missing || (filling_q && !flag_valid_o);
      if (taken) in_image_q <= !image_last;
      short_o <= missing || (ended && byte_i && !whole_i);
    end
  end
endmodule
