/// What surrounds the network on a board: AXI4-Stream packets of images in and of results out, registers behind AXI4-Lite.
///
///   s_axis -> penni_unpack -> penni_packet_in -> penni_fifo -> core_in ... core_out -> penni_packet_out -> m_axis
///                                   |  one bit for each image in flight               |
///                                   +-----------> penni_fifo -------------------------+
///
/// The core's reset, core_rst_no, is also that of both streams: low for a reset of the whole, and while CONTROL.RESET is 1. Then
/// s_axis takes every beat and drops it. Every signal of the three ports to the outside is a register, and so are valid and data
/// of core_in; its ready ends at the FIFO. Busy is from the cycle after an image's first byte is on its way to the one in
/// which its last word leaves.
module penni_shell #(
    parameter int unsigned LANES = 4,         // bytes of a beat of s_axis
    parameter int unsigned WORD = 1,          // bytes of a beat of core_in: divides LANES and IMAGE_BYTES
    parameter int unsigned IMAGE_BYTES = 16,
    parameter int unsigned RESULT_WORDS = 4,
    parameter int unsigned IMAGES = 16,       // in flight, at most
    parameter int unsigned OPERATORS = 0,     // with counters of their own
    parameter logic [31:0] CLOCK_HZ = '0,
    parameter logic [127:0] DIGEST = '0
) (
    input  logic               clk_i,
    input  logic               rst_ni,
    // AXI4-Lite slave
    input  logic               awvalid_i,
    output logic               awready_o,
    input  logic [11:0]        awaddr_i,
    input  logic               wvalid_i,
    output logic               wready_o,
    input  logic [31:0]        wdata_i,
    input  logic [3:0]         wstrb_i,
    output logic               bvalid_o,
    input  logic               bready_i,
    input  logic               arvalid_i,
    output logic               arready_o,
    input  logic [11:0]        araddr_i,
    output logic               rvalid_o,
    input  logic               rready_i,
    output logic [31:0]        rdata_o,
    // pixels
    input  logic               in_valid_i,
    output logic               in_ready_o,
    input  logic [LANES*8-1:0] in_data_i,
    input  logic [LANES-1:0]   in_keep_i,
    input  logic               in_last_i,
    // results
    output logic               out_valid_o,
    input  logic               out_ready_i,
    output logic [31:0]        out_data_o,
    output logic               out_last_o,
    // the network
    output logic               core_rst_no,
    output logic               core_in_valid_o,
    input  logic               core_in_ready_i,
    output logic [WORD*8-1:0]  core_in_data_o,
    input  logic               core_out_valid_i,
    output logic               core_out_ready_o,
    input  logic [31:0]        core_out_data_i,
    input  logic               core_out_last_i,
    // what operators wait for, a cycle late
    input  logic [(OPERATORS > 0 ? OPERATORS : 1)-1:0] starved_i,
    input  logic [(OPERATORS > 0 ? OPERATORS : 1)-1:0] blocked_i
);
  localparam int unsigned CW = 48;

  // ---- reset ---------------------------------------------------------------------------------------------------------
  logic reset, clear, core_rst_nq;
  assign core_rst_no = core_rst_nq;
  always_ff @(posedge clk_i) core_rst_nq <= rst_ni && !reset;

  // ---- pixels --------------------------------------------------------------------------------------------------------
  logic word_valid, word_ready, word_byte, word_whole, word_last, pixel_valid, pixel_ready, in_image, sparse, short;
  logic [WORD*8-1:0] word_data, pixel_data;
  logic flag_in_valid, flag_in_ready, flag_in, flag_out_valid, flag_out_ready, flag_out, image_out;

  penni_unpack #(
      .LANES(LANES),
      .WORD(WORD)
  ) u_unpack (
      .clk_i,
      .rst_ni(core_rst_nq),
      .valid_i(in_valid_i),
      .ready_o(in_ready_o),
      .data_i(in_data_i),
      .keep_i(in_keep_i),
      .last_i(in_last_i),
      .valid_o(word_valid),
      .ready_i(word_ready),
      .byte_o(word_byte),
      .whole_o(word_whole),
      .data_o(word_data),
      .last_o(word_last),
      .sparse_o(sparse)
  );

  penni_packet_in #(
      .WIDTH(WORD * 8),
      .WORDS(IMAGE_BYTES / WORD)
  ) u_packet_in (
      .clk_i,
      .rst_ni(core_rst_nq),
      .valid_i(word_valid),
      .ready_o(word_ready),
      .byte_i(word_byte),
      .whole_i(word_whole),
      .data_i(word_data),
      .last_i(word_last),
      .valid_o(pixel_valid),
      .ready_i(pixel_ready),
      .data_o(pixel_data),
      .flag_valid_o(flag_in_valid),
      .flag_ready_i(flag_in_ready),
      .flag_o(flag_in),
      .in_image_o(in_image),
      .short_o(short)
  );

  penni_fifo #(
      .WIDTH(WORD * 8),
      .DEPTH(2)
  ) u_pixels (
      .clk_i,
      .rst_ni(core_rst_nq),
      .in_valid_i(pixel_valid),
      .in_ready_o(pixel_ready),
      .in_data_i(pixel_data),
      .out_valid_o(core_in_valid_o),
      .out_ready_i(core_in_ready_i),
      .out_data_o(core_in_data_o)
  );

  // ---- TLAST ---------------------------------------------------------------------------------------------------------
  penni_fifo #(
      .WIDTH(1),
      .DEPTH(IMAGES)
  ) u_flags (
      .clk_i,
      .rst_ni(core_rst_nq),
      .in_valid_i(flag_in_valid),
      .in_ready_o(flag_in_ready),
      .in_data_i(flag_in),
      .out_valid_o(flag_out_valid),
      .out_ready_i(flag_out_ready),
      .out_data_o(flag_out)
  );

  // ---- results -------------------------------------------------------------------------------------------------------
  penni_packet_out #(
      .WIDTH(32)
  ) u_packet_out (
      .clk_i,
      .rst_ni(core_rst_nq),
      .valid_i(core_out_valid_i),
      .ready_o(core_out_ready_o),
      .data_i(core_out_data_i),
      .last_i(core_out_last_i),
      .flag_valid_i(flag_out_valid),
      .flag_ready_o(flag_out_ready),
      .flag_i(flag_out),
      .valid_o(out_valid_o),
      .ready_i(out_ready_i),
      .data_o(out_data_o),
      .last_o(out_last_o),
      .image_o(image_out)
  );

  // ---- what is counted: events are registers -------------------------------------------------------------------------
  logic        busy, in_packet_q, starved_q, blocked_q, busy_q, image_in_q, image_out_q, in_waits_q, out_waits_q, flying_q;
  logic [15:0] in_flight_q;
  assign busy = in_image || flying_q;

  always_ff @(posedge clk_i) begin
    if (!core_rst_nq) begin
      in_flight_q <= '0;
      flying_q    <= 1'b0;
    end else if (flag_in_valid != image_out) begin
      in_flight_q <= flag_in_valid ? in_flight_q + 1'b1 : in_flight_q - 1'b1;
      flying_q    <= flag_in_valid || in_flight_q != 16'd1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      busy_q      <= 1'b0;
      starved_q   <= 1'b0;
      blocked_q   <= 1'b0;
      image_in_q  <= 1'b0;
      image_out_q <= 1'b0;
      in_packet_q <= 1'b0;
    end else begin
      busy_q      <= busy && core_rst_nq;
      starved_q   <= busy && core_rst_nq && core_in_ready_i && !core_in_valid_o;
      blocked_q   <= out_valid_o && !out_ready_i && core_rst_nq;
      image_in_q  <= flag_in_valid && core_rst_nq;
      image_out_q <= image_out && core_rst_nq;
      if (in_valid_i && in_ready_o) in_packet_q <= !in_last_i;
      else if (!reset && !core_rst_nq) in_packet_q <= 1'b0;  // the sender has begun anew
    end
  end
  always_ff @(posedge clk_i) begin
    in_waits_q  <= in_valid_i && !in_ready_o;
    out_waits_q <= out_valid_o && !out_ready_i;
  end

  logic [CW-1:0] cycles, busy_cycles, starved_cycles, blocked_cycles, images_in, images_out;
  penni_counter #(.WIDTH(CW)) u_cycles (.clk_i, .rst_ni, .clear_i(clear), .event_i(1'b1), .count_o(cycles));
  penni_counter #(.WIDTH(CW)) u_busy (.clk_i, .rst_ni, .clear_i(clear), .event_i(busy_q), .count_o(busy_cycles));
  penni_counter #(.WIDTH(CW)) u_starved (.clk_i, .rst_ni, .clear_i(clear), .event_i(starved_q), .count_o(starved_cycles));
  penni_counter #(.WIDTH(CW)) u_blocked (.clk_i, .rst_ni, .clear_i(clear), .event_i(blocked_q), .count_o(blocked_cycles));
  penni_counter #(.WIDTH(CW)) u_in (.clk_i, .rst_ni, .clear_i(clear), .event_i(image_in_q), .count_o(images_in));
  penni_counter #(.WIDTH(CW)) u_out (.clk_i, .rst_ni, .clear_i(clear), .event_i(image_out_q), .count_o(images_out));

  logic [9:0]  operator_word;
  logic [31:0] operator_count;
  if (OPERATORS > 0) begin : gen_operators
    penni_operator_counters #(
        .COUNT(OPERATORS)
    ) u_operators (
        .clk_i,
        .rst_ni,
        .clear_i(clear),
        .busy_i(busy_q),
        .starved_i,
        .blocked_i,
        .word_i(operator_word),
        .word_o(operator_count)
    );
  end else begin : gen_none
    logic unused;
    assign operator_count = '0;
    assign unused = ^{operator_word, starved_i, blocked_i};
  end

  // ---- registers -----------------------------------------------------------------------------------------------------
  logic        write, read;
  logic [11:0] waddr, raddr;
  logic [7:0]  wdata;
  logic [31:0] value;

  penni_axi_lite #(
      .AW(12)
  ) u_axi_lite (
      .clk_i,
      .rst_ni,
      .awvalid_i,
      .awready_o,
      .awaddr_i,
      .wvalid_i,
      .wready_o,
      .wdata_i,
      .wstrb_i,
      .bvalid_o,
      .bready_i,
      .arvalid_i,
      .arready_o,
      .araddr_i,
      .rvalid_o,
      .rready_i,
      .rdata_o,
      .write_o(write),
      .waddr_o(waddr),
      .wdata_o(wdata),
      .read_o(read),
      .raddr_o(raddr),
      .data_i(value)
  );

  penni_registers #(
      .CLOCK_HZ(CLOCK_HZ),
      .STREAMS({16'(OPERATORS), 8'd32, 8'(8 * LANES)}),
      .DIGEST(DIGEST),
      .IMAGE_BYTES(32'(IMAGE_BYTES)),
      .RESULT_WORDS(32'(RESULT_WORDS)),
      .CW(CW)
  ) u_registers (
      .clk_i,
      .rst_ni,
      .write_i(write),
      .waddr_i(waddr),
      .wdata_i(wdata[1:0]),
      .read_i(read),
      .raddr_i(raddr),
      .data_o(value),
      .reset_o(reset),
      .clear_o(clear),
      .status_i({in_flight_q, 11'b0, out_waits_q, in_waits_q, in_image, in_packet_q, busy}),
      .errors_i({sparse, short}),
      .cycles_i(cycles),
      .busy_i(busy_cycles),
      .starved_i(starved_cycles),
      .blocked_i(blocked_cycles),
      .images_in_i(images_in),
      .images_out_i(images_out),
      .operator_word_o(operator_word),
      .operator_word_i(operator_count)
  );

  logic unused;
  assign unused = ^wdata[7:2];
endmodule
