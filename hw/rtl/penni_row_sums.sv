/// The sums of the rows of a group, in stream order: pixel by pixel, channel by channel.
///
/// full_i[h]: half h of the sum memories holds a group. A channel's sum is its lane's next running sum minus the one
/// before it (0 for the first), exact modulo 2^ACCW. present_o: a sum can be fetched; step_i, only while present_o:
/// fetch the next one. It is on sum_o 4 cycles later (5 with pairs), for one cycle. Nothing stalls in between. released_o frees a half
/// once its last row has been read. The sum memories are read in every cycle, with a latency of one.
///
/// Pipeline: s1 lane of the channel, s2 words of all lanes, s3 the pixel's running sum, s4 difference, with pairs s5 the
/// pixel's part of it (see penni_mac_pair).
module penni_row_sums #(
    parameter int unsigned GROUPS = 4,
    parameter int unsigned LAST_Q = 4,
    parameter int unsigned CO = 4,
    parameter int unsigned Q = 4,
    parameter int unsigned P = 1,
    parameter int unsigned PAIR_SHIFT = 0,
    parameter int unsigned PAIR_EXTRA = 0,
    parameter int unsigned ACCW = 20,
    parameter int unsigned ROWAW = 2,
    parameter bit HALVES = 1'b1,
    // For each channel its lane.
    parameter FILE = "",
    parameter int unsigned UNITS = (PAIR_SHIFT == 0) ? Q : Q / 2,
    parameter int unsigned UNITW = PAIR_EXTRA + PAIR_SHIFT + ACCW
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic [1:0]             full_i,
    output logic                   released_o,
    output logic                   released_half_o,
    output logic                   rows_half_o,
    output logic [P*ROWAW-1:0]     rows_o,
    input  logic [P*UNITS*UNITW-1:0] words_i,
    output logic                   present_o,
    input  logic                   step_i,
    output logic signed [ACCW-1:0] sum_o
);
  localparam int unsigned CAW = (CO > 1) ? $clog2(CO) : 1;
  localparam int unsigned QW = (Q > 1) ? $clog2(Q) : 1;
  localparam int unsigned LW = (P > 1) ? $clog2(P) : 1;

  // ---- s0: which pixel, which channel -------------------------------------------------------------------------------
  logic           half_q, first_channel_q, last_channel_q, last_pixel, group_end, group_end_s1_q;
  logic [CAW-1:0] channel_q;
  logic [QW-1:0]  pixel_q;

  // A single half is released one cycle after its last step.
  assign present_o    = full_i[half_q] && (HALVES || !group_end_s1_q);
  assign group_end    = step_i && last_channel_q && last_pixel;
  if (LAST_Q == Q) begin : gen_whole
    logic last_pixel_q;
    assign last_pixel = last_pixel_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) last_pixel_q <= Q == 1;
      else if (step_i && last_channel_q) last_pixel_q <= Q == 1 || (!last_pixel_q && 32'(pixel_q) == Q - 2);
    end
  end else begin : gen_short
    logic last_group;
    penni_frame_last #(.BEATS(GROUPS)) u_last (
        .clk_i, .rst_ni, .valid_i(group_end), .ready_i(1'b1), .last_o(last_group)
    );
    assign last_pixel = pixel_q == (last_group ? QW'(LAST_Q - 1) : QW'(Q - 1));
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      half_q          <= 1'b0;
      channel_q       <= '0;
      first_channel_q <= 1'b1;
      last_channel_q  <= CO == 1;
      pixel_q         <= '0;
    end else if (step_i) begin
      channel_q       <= last_channel_q ? '0 : channel_q + 1'b1;
      first_channel_q <= last_channel_q;
      last_channel_q  <= CO == 1 || (!last_channel_q && 32'(channel_q) == CO - 2);
      if (last_channel_q) pixel_q <= last_pixel ? '0 : pixel_q + 1'b1;
      if (group_end) half_q <= HALVES && !half_q;
    end
  end

  // ---- s1: each lane's next row is read; the channel's lane advances ------------------------------------------------
  logic           valid_s1_q, valid_s2_q, valid_s3_q;
  logic           half_s1_q;
  logic           first_s1_q, first_s2_q;
  logic [QW-1:0]  pixel_s1_q, pixel_s2_q;
  logic [LW-1:0]  lane_s1, lane_s2_q, lane_s3_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_s1_q     <= 1'b0;
      valid_s2_q     <= 1'b0;
      valid_s3_q     <= 1'b0;
      group_end_s1_q <= 1'b0;
    end else begin
      valid_s1_q     <= step_i;
      valid_s2_q     <= valid_s1_q;
      valid_s3_q     <= valid_s2_q;
      group_end_s1_q <= group_end;
    end
  end

  always_ff @(posedge clk_i) begin
    half_s1_q  <= half_q;
    pixel_s1_q <= pixel_q;
    first_s1_q <= first_channel_q;
    pixel_s2_q <= pixel_s1_q;
    lane_s2_q  <= lane_s1;
    first_s2_q <= first_s1_q;
    lane_s3_q  <= lane_s2_q;
  end

  assign released_o      = group_end_s1_q;
  assign released_half_o = half_s1_q;
  assign rows_half_o     = half_s1_q;

  if (P == 1) begin : gen_one_lane
    logic [CAW-1:0] channel_s1_q;
    always_ff @(posedge clk_i) channel_s1_q <= channel_q;
    assign lane_s1 = '0;
    assign rows_o  = ROWAW'(channel_s1_q);
  end else begin : gen_lanes
    logic last_channel_s1_q;
    always_ff @(posedge clk_i) last_channel_s1_q <= last_channel_q;
    penni_rom #(
        .WIDTH(LW), .DEPTH(CO), .AW(CAW), .BLOCK(1'b0), .FILE(FILE)
    ) u_lane (
        .clk_i, .re_i(1'b1), .raddr_i(channel_q), .rdata_o(lane_s1)
    );
    for (genvar p = 0; p < P; p++) begin : gen_row
      logic [ROWAW-1:0] row_q;
      always_ff @(posedge clk_i) begin
        if (!rst_ni) row_q <= '0;
        else if (valid_s1_q) begin
          if (last_channel_s1_q) row_q <= '0;
          else if (lane_s1 == LW'(p)) row_q <= row_q + 1'b1;
        end
      end
      assign rows_o[p*ROWAW+:ROWAW] = row_q;
    end
  end

  // ---- s2 -> s3: the pixel's running sum ----------------------------------------------------------------------------
  // The units of a lane are filled up to a power of two: an index that is two fields makes plain multiplexers.
  localparam int unsigned UNITAW = $clog2(UNITS);
  logic [(P<<UNITAW)*UNITW-1:0] units;
  logic [LW+UNITAW-1:0]         unit_s2;
  logic                         high_s2, high_s3_q, high_s4_q;  // the upper pixel of a pair
  logic [UNITW-1:0]             running_s3_q;
  for (genvar p = 0; p < P; p++) begin : gen_units
    for (genvar u = 0; u < (1 << UNITAW); u++) begin : gen_unit
      localparam int unsigned FROM = p * UNITS + ((u < UNITS) ? u : UNITS - 1);
      assign units[((p<<UNITAW)+u)*UNITW+:UNITW] = words_i[FROM*UNITW+:UNITW];
    end
  end
  if (PAIR_SHIFT == 0) begin : gen_single
    assign high_s2 = 1'b0;
    assign unit_s2 = (LW + UNITAW)'({lane_s2_q, pixel_s2_q} >> (QW - UNITAW));
  end else begin : gen_two
    assign high_s2 = pixel_s2_q[0];
    assign unit_s2 = (LW + UNITAW)'({lane_s2_q, pixel_s2_q} >> 1);
  end
  always_ff @(posedge clk_i) begin
    running_s3_q <= units[unit_s2*UNITW+:UNITW];
    high_s3_q    <= high_s2;
    high_s4_q    <= high_s3_q;
  end

  // ---- s3 -> s4: difference from the lane's previous row ------------------------------------------------------------
  // A pixel's first channel is at s3 in the next cycle: every lane starts from 0.
  logic             clear;
  logic [UNITW-1:0] earlier;
  assign clear = valid_s2_q && first_s2_q;
  if (P == 1) begin : gen_earlier
    logic [UNITW-1:0] earlier_q;
    always_ff @(posedge clk_i) begin
      if (clear) earlier_q <= '0;
      else if (valid_s3_q) earlier_q <= running_s3_q;
    end
    assign earlier = earlier_q;
    logic unused;
    assign unused = ^lane_s3_q;
  end else begin : gen_earlier_ram
    (* ram_style = "distributed" *) logic [UNITW-1:0] earlier_mem[P];
    logic [P-1:0] there, there_q;  // lanes of which there is one
    logic         there_s3_q;
    for (genvar p = 0; p < P; p++) begin : gen_there
      assign there[p] = !clear && (there_q[p] || (valid_s3_q && lane_s3_q == LW'(p)));
    end
    always_ff @(posedge clk_i) begin
      if (valid_s3_q) earlier_mem[lane_s3_q] <= running_s3_q;
      there_q    <= there;
      there_s3_q <= there[lane_s2_q];
    end
    assign earlier = there_s3_q ? earlier_mem[lane_s3_q] : '0;
  end

  if (PAIR_SHIFT == 0) begin : gen_sum
    // keep: yosys would put the difference into a DSP's pre-adder, where it is wider than ACCW bits and so another value.
    (* keep = "true" *) logic signed [ACCW-1:0] sum_q;
    always_ff @(posedge clk_i) sum_q <= running_s3_q - earlier;
    assign sum_o = sum_q;
    logic unused;
    assign unused = high_s4_q;
  end else begin : gen_pair
    // both = high * 2^PAIR_SHIFT + low. What low adds above PAIR_SHIFT, over: -1 or 0 where low fits PAIR_SHIFT bits,
    // else EXTRA bits that the lowest bits of high leave.
    localparam int unsigned SUMW = PAIR_SHIFT + ACCW;
    logic [SUMW-1:0]        both_q;
    logic signed [ACCW-1:0] upper, over, low;
    assign upper = both_q[PAIR_SHIFT+:ACCW];
    always_ff @(posedge clk_i) both_q <= running_s3_q[SUMW-1:0] - earlier[SUMW-1:0];
    if (PAIR_EXTRA == 0) begin : gen_narrow
      assign over = {ACCW{both_q[PAIR_SHIFT-1]}};
      assign low  = ACCW'(both_q);
    end else begin : gen_wide
      logic [PAIR_EXTRA-1:0]        extra_q;
      logic signed [PAIR_EXTRA-1:0] above;
      always_ff @(posedge clk_i) extra_q <= running_s3_q[SUMW+:PAIR_EXTRA] - earlier[SUMW+:PAIR_EXTRA];
      assign above = upper[PAIR_EXTRA-1:0] - extra_q;
      assign over  = ACCW'(above);
      assign low   = {above, both_q[PAIR_SHIFT-1:0]};  // ACCW is PAIR_SHIFT + PAIR_EXTRA
    end
    // keep: as above.
    (* keep = "true" *) logic signed [ACCW-1:0] sum_q;
    always_ff @(posedge clk_i) sum_q <= high_s4_q ? upper - over : low;
    assign sum_o = sum_q;
  end
endmodule
