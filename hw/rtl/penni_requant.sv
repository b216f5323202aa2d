/// Drains a group's running sums and requantizes: y = sat((acc*M + skip*SKIP_K + bias') >>> SHIFT), NHWC, one value per
/// cycle.
///
/// full_i[h]: half h of the sum memories holds a group. For each pixel it walks the channels; a channel's sum is its
/// lane's next row minus the previous row (0 for the first), exact modulo 2^ACCW. released_o frees the half once its
/// last row has been read.
///
/// Pipeline, stalled as a whole while the output waits or the skip value is missing: s1 lane of the channel, s2 words
/// of all lanes, s3 the pixel's running sum, s4 difference and multiplier, s5 product, s6 total, out saturated.
module penni_requant #(
    parameter int unsigned GROUPS = 4,
    parameter int unsigned LAST_Q = 4,
    parameter int unsigned CO = 4,
    parameter int unsigned Q = 4,
    parameter int unsigned P = 1,
    parameter int unsigned ACCW = 20,
    parameter int unsigned ROWAW = 2,
    parameter int unsigned MW = 16,
    parameter int unsigned BW = 32,
    parameter int unsigned TOTALW = 40,
    parameter int unsigned SHIFT = 20,
    parameter int unsigned YW = 8,
    parameter bit Y_SIGNED = 1'b0,
    parameter bit SKIP = 1'b0,
    parameter int unsigned SKIPW = 8,
    parameter bit SKIP_SIGNED = 1'b0,
    parameter int unsigned SKIP_K = 0,
    parameter bit BLOCK = 1'b0,
    parameter FILE = ""
) (
    input  logic                clk_i,
    input  logic                rst_ni,
    input  logic [1:0]          full_i,
    output logic                released_o,
    output logic                released_half_o,
    output logic                sum_re_o,
    output logic                sum_half_o,
    output logic [P*ROWAW-1:0]  sum_rows_o,
    input  logic [P*Q*ACCW-1:0] sum_words_i,
    input  logic                skip_valid_i,
    output logic                skip_ready_o,
    input  logic [SKIPW-1:0]    skip_data_i,
    output logic                out_valid_o,
    input  logic                out_ready_i,
    output logic [YW-1:0]       out_data_o
);
  localparam int unsigned CAW = (CO > 1) ? $clog2(CO) : 1;
  localparam int unsigned QW = (Q > 1) ? $clog2(Q) : 1;
  localparam int unsigned LW = (P > 1) ? $clog2(P) : 1;
  localparam int unsigned KW = MW + BW + LW;  // a word of constants: multiplier lowest, then bias', then lane

  logic room, en;
  logic valid_s1_q, valid_s2_q, valid_s3_q, valid_s4_q, valid_s5_q, valid_s6_q;

  assign room         = !out_valid_o || out_ready_i;
  assign en           = room && !(SKIP && valid_s2_q && !skip_valid_i);
  assign skip_ready_o = SKIP && room && valid_s2_q;

  // ---- s0: which pixel, which channel -------------------------------------------------------------------------------
  logic           half_q, valid_s0, last_channel, last_pixel, group_end;
  logic [CAW-1:0] channel_q;
  logic [QW-1:0]  pixel_q;

  assign valid_s0     = full_i[half_q];
  assign last_channel = channel_q == CAW'(CO - 1);
  assign group_end    = en && valid_s0 && last_channel && last_pixel;
  if (LAST_Q == Q) begin : gen_whole
    assign last_pixel = pixel_q == QW'(Q - 1);
  end else begin : gen_short
    logic last_group;
    penni_frame_last #(.BEATS(GROUPS)) u_last (
        .clk_i, .rst_ni, .valid_i(group_end), .ready_i(1'b1), .last_o(last_group)
    );
    assign last_pixel = pixel_q == (last_group ? QW'(LAST_Q - 1) : QW'(Q - 1));
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      half_q    <= 1'b0;
      channel_q <= '0;
      pixel_q   <= '0;
    end else if (en && valid_s0) begin
      channel_q <= last_channel ? '0 : channel_q + 1'b1;
      if (last_channel) pixel_q <= last_pixel ? '0 : pixel_q + 1'b1;
      if (group_end) half_q <= !half_q;
    end
  end

  // ---- s1: each lane's next row is read; the channel's lane advances ------------------------------------------------
  logic           half_s1_q, group_end_s1_q;
  logic [CAW-1:0] channel_s1_q, channel_s2_q;
  logic [QW-1:0]  pixel_s1_q, pixel_s2_q;
  logic [LW-1:0]  lane_s1, lane_s2_q, lane_s3_q;
  logic           first_s2_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_s1_q  <= 1'b0;
      valid_s2_q  <= 1'b0;
      valid_s3_q  <= 1'b0;
      valid_s4_q  <= 1'b0;
      valid_s5_q  <= 1'b0;
      valid_s6_q  <= 1'b0;
      out_valid_o <= 1'b0;
    end else if (en) begin
      valid_s1_q  <= valid_s0;
      valid_s2_q  <= valid_s1_q;
      valid_s3_q  <= valid_s2_q;
      valid_s4_q  <= valid_s3_q;
      valid_s5_q  <= valid_s4_q;
      valid_s6_q  <= valid_s5_q;
      out_valid_o <= valid_s6_q;
    end else if (out_ready_i) begin
      out_valid_o <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (en) begin
      half_s1_q         <= half_q;
      channel_s1_q      <= channel_q;
      pixel_s1_q        <= pixel_q;
      group_end_s1_q    <= last_channel && last_pixel;
      channel_s2_q      <= channel_s1_q;
      pixel_s2_q        <= pixel_s1_q;
      lane_s2_q         <= lane_s1;
      lane_s3_q         <= lane_s2_q;
      first_s2_q        <= channel_s1_q == '0;
    end
  end

  assign released_o      = en && valid_s1_q && group_end_s1_q;
  assign released_half_o = half_s1_q;
  assign sum_re_o        = en;
  assign sum_half_o      = half_s1_q;

  if (P == 1) begin : gen_one_lane
    assign lane_s1    = '0;
    assign sum_rows_o = ROWAW'(channel_s1_q);
  end else begin : gen_lanes
    logic [KW-1:0] constants;
    logic          last_channel_s1_q;
    always_ff @(posedge clk_i) if (en) last_channel_s1_q <= last_channel;
    penni_rom #(
        .WIDTH(KW), .DEPTH(CO), .AW(CAW), .BLOCK(BLOCK), .FILE(FILE)
    ) u_lane (
        .clk_i, .re_i(en), .raddr_i(channel_q), .rdata_o(constants)
    );
    assign lane_s1 = constants[MW+BW+:LW];
    logic unused;
    assign unused = ^constants[MW+BW-1:0];
    for (genvar p = 0; p < P; p++) begin : gen_row
      logic [ROWAW-1:0] row_q;
      always_ff @(posedge clk_i) begin
        if (!rst_ni) row_q <= '0;
        else if (en && valid_s1_q) begin
          if (last_channel_s1_q) row_q <= '0;
          else if (lane_s1 == LW'(p)) row_q <= row_q + 1'b1;
        end
      end
      assign sum_rows_o[p*ROWAW+:ROWAW] = row_q;
    end
  end

  // ---- s2 -> s3: the pixel's running sum ----------------------------------------------------------------------------
  logic [ACCW-1:0] running_s3_q;
  always_ff @(posedge clk_i) begin
    if (en) running_s3_q <= sum_words_i[(32'(lane_s2_q)*Q+32'(pixel_s2_q))*ACCW+:ACCW];
  end

  // ---- s3 -> s4: difference from the lane's previous row ------------------------------------------------------------
  logic [P*ACCW-1:0]      earlier;
  logic signed [ACCW-1:0] sum_s4_q;
  for (genvar p = 0; p < P; p++) begin : gen_earlier
    logic [ACCW-1:0] earlier_q;
    always_ff @(posedge clk_i) begin
      if (en) begin
        // A pixel's first channel is at s3 in the next cycle: every lane starts from 0.
        if (valid_s2_q && first_s2_q) earlier_q <= '0;
        else if (valid_s3_q && lane_s3_q == LW'(p)) earlier_q <= running_s3_q;
      end
    end
    assign earlier[p*ACCW+:ACCW] = earlier_q;
  end
  always_ff @(posedge clk_i) begin
    if (en) sum_s4_q <= running_s3_q - earlier[32'(lane_s3_q)*ACCW+:ACCW];
  end

  // ---- Constants: read in parallel with s2, valid at s3 -------------------------------------------------------------
  logic [KW-1:0]        constants_s3;
  logic signed [MW:0]   multiplier_s4_q;
  logic signed [BW-1:0] bias_s4_q;
  penni_rom #(
      .WIDTH(KW), .DEPTH(CO), .AW(CAW), .BLOCK(BLOCK), .FILE(FILE)
  ) u_constants (
      .clk_i, .re_i(en), .raddr_i(channel_s2_q), .rdata_o(constants_s3)
  );
  logic unused_lane;
  assign unused_lane = ^constants_s3[MW+BW+:LW];
  always_ff @(posedge clk_i) begin
    if (en) begin
      multiplier_s4_q <= {1'b0, constants_s3[MW-1:0]};
      bias_s4_q       <= constants_s3[MW+:BW];
    end
  end

  // ---- s4 -> s5 -> s6: acc*M + (skip*SKIP_K + bias') ----------------------------------------------------------------
  /* verilator lint_off UNUSEDSIGNAL */  // the total is modulo 2^TOTALW
  logic signed [ACCW+MW:0]   product_s5_q;
  /* verilator lint_on UNUSEDSIGNAL */
  logic signed [TOTALW-1:0]  addend_s5_q, total_s6_q;
  if (SKIP) begin : gen_skip
    localparam int unsigned FW = $clog2(SKIP_K + 1) + 1;
    logic signed [SKIPW:0]    skip_s3_q;
    /* verilator lint_off UNUSEDSIGNAL */  // likewise
    logic signed [SKIPW+FW:0] scaled_s4_q;
    /* verilator lint_on UNUSEDSIGNAL */
    always_ff @(posedge clk_i) begin
      if (en) begin
        skip_s3_q   <= {SKIP_SIGNED && skip_data_i[SKIPW-1], skip_data_i};
        scaled_s4_q <= skip_s3_q * $signed(FW'(SKIP_K));
        addend_s5_q <= TOTALW'(scaled_s4_q) + TOTALW'(bias_s4_q);
      end
    end
  end else begin : gen_no_skip
    always_ff @(posedge clk_i) if (en) addend_s5_q <= TOTALW'(bias_s4_q);
    logic unused;
    assign unused = ^{skip_valid_i, skip_data_i};
  end
  always_ff @(posedge clk_i) begin
    if (en) begin
      product_s5_q <= sum_s4_q * multiplier_s4_q;
      total_s6_q   <= TOTALW'(product_s5_q) + addend_s5_q;
    end
  end

  // ---- s6 -> out ----------------------------------------------------------------------------------------------------
  logic [YW-1:0] y;
  penni_shift_sat #(
      .IW(TOTALW), .SHIFT(SHIFT), .OW(YW), .O_SIGNED(Y_SIGNED)
  ) u_sat (
      .in_i(total_s6_q), .out_o(y)
  );
  always_ff @(posedge clk_i) if (en) out_data_o <= y;
endmodule
