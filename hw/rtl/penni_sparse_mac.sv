/// y[o,p] = sat((acc[o,p]*M[o] + skip*SKIP_K + bias'[o]) >>> SHIFT), acc[o,p] = sum_a A[o,a] * z[a,p], A mostly zero.
///
/// Three pipelined stages, each on its own group of Q pixels: load z into one half of the z memory; walk the program
/// (one word per cycle, P lanes in lockstep) and store the running sums at each row's end; drain the sums pixel by
/// pixel, channel by channel, as differences within a lane (exact modulo 2^ACCW), through one requantizer.
///
/// In: TILED: one word of Q values for each group, channel and basis; else one value per beat, NHWC. Out: one value per
/// beat, NHWC. Cycles per group: the maximum of the beats of its load, LEN + 1 and Q*CO*REQUANT_CYCLES, or the sum of
/// those that share a single buffer; out_valid_o follows 7 cycles or more after the drain begins. in_ready_o, skip_ready_o and out_valid_o depend on registers only; the drain waits for the
/// beat of the skip connection.
module penni_sparse_mac #(
    parameter int unsigned PIXELS = 16,
    parameter int unsigned DEPTH = 20,
    parameter int unsigned CO = 4,
    parameter int unsigned Q = 4,
    parameter int unsigned P = 1,
    parameter bit TILED = 1'b1,
    parameter int unsigned ZW = 8,
    parameter bit Z_SIGNED = 1'b1,
    parameter int unsigned CW = 8,
    parameter int unsigned ADDRW = 5,
    parameter int unsigned STEPW = 0,
    parameter bit ROW_BIT = 1'b1,
    parameter int unsigned LEN = 16,
    parameter int unsigned LANE_ROWS = 4,
    parameter int unsigned PREADDER = 25,
    parameter int unsigned PAIR_SHIFT = 0,
    parameter int unsigned PAIR_EXTRA = 0,
    parameter bit LUT_MULTIPLY = 1'b0,
    parameter int unsigned ACCW = 20,
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
    parameter bit Z_HALVES = 1'b1,
    parameter bit SUM_HALVES = 1'b1,
    parameter int unsigned Z_STYLE = 1,
    parameter bit SUM_BLOCK = 1'b0,
    parameter bit PROGRAM_BLOCK = 1'b0,
    parameter bit REQUANT_BLOCK = 1'b0,
    parameter int unsigned REQUANT_CYCLES = 1,
    parameter PROGRAM_FILE = "",
    parameter REQUANT_FILE = "",
    parameter LANES_FILE = ""
) (
    input  logic                          clk_i,
    input  logic                          rst_ni,
    input  logic                          in_valid_i,
    output logic                          in_ready_o,
    input  logic [(TILED ? Q*ZW : ZW)-1:0] in_data_i,
    input  logic                          skip_valid_i,
    output logic                          skip_ready_o,
    input  logic [SKIPW-1:0]              skip_data_i,
    output logic                          out_valid_o,
    input  logic                          out_ready_i,
    output logic [YW-1:0]                 out_data_o
);
  localparam int unsigned GROUPS = (PIXELS + Q - 1) / Q;
  localparam int unsigned LAST_Q = PIXELS - (GROUPS - 1) * Q;  // pixels of a frame's last group
  localparam int unsigned WHEREW = (STEPW == 0) ? ADDRW : STEPW;  // an address, or a step to it
  localparam int unsigned ENTRYW = CW + WHEREW + (ROW_BIT ? 1 : 0);
  localparam int unsigned FETCH = (STEPW == 0) ? 0 : 2;  // cycles from an entry to its address
  localparam bit PAIRS = PAIR_SHIFT != 0;
  localparam int unsigned SUMS = FETCH + (PAIRS ? 5 : 4);  // cycles from an entry to its sums
  localparam int unsigned UNITS = PAIRS ? Q / 2 : Q;  // accumulators of a lane
  localparam int unsigned UNITW = PAIR_EXTRA + PAIR_SHIFT + ACCW;
  localparam int unsigned PCW = (LEN > 1) ? $clog2(LEN) : 1;
  localparam int unsigned ROWAW = (LANE_ROWS > 1) ? $clog2(LANE_ROWS) : 1;
  localparam int unsigned Z_LANES = TILED ? 1 : Q;

  // ---- Load ---------------------------------------------------------------------------------------------------------
  logic               z_written, load_half_q, z_half_q, z_released;
  logic [1:0]         z_used_q, z_full_q;  // used: may not be written; full: ready for the program
  logic [ADDRW-1:0]   load_address_q;
  logic [Z_LANES-1:0] z_we;
  logic [Q*ZW-1:0]    z_wdata;
  logic               load, word_end_q, group_loaded;

  assign in_ready_o   = !z_used_q[load_half_q];
  assign load         = in_valid_i && in_ready_o;
  assign z_written    = load && group_loaded;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      load_address_q <= '0;
      word_end_q     <= DEPTH == 1;
      load_half_q    <= 1'b0;
    end else if (load) begin
      load_address_q <= word_end_q ? '0 : load_address_q + 1'b1;
      word_end_q     <= DEPTH == 1 || 32'(load_address_q) == DEPTH - 2;
      if (group_loaded) load_half_q <= Z_HALVES && !load_half_q;
    end
  end

  if (TILED) begin : gen_tiles
    assign z_we         = load;
    assign z_wdata      = in_data_i;
    assign group_loaded = word_end_q;
  end else begin : gen_map
    logic [Q-1:0] lane_q;  // one-hot: the pixel of the group that is being loaded
    logic         last_pixel;
    assign z_we         = lane_q & {Q{load}};
    assign z_wdata      = {Q{in_data_i}};
    assign group_loaded = word_end_q && last_pixel;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) lane_q <= Q'(1);
      else if (load && word_end_q) lane_q <= last_pixel ? Q'(1) : lane_q << 1;
    end
    if (LAST_Q == Q) begin : gen_whole
      assign last_pixel = lane_q[Q-1];
    end else begin : gen_short
      logic last_group;
      penni_frame_last #(.BEATS(GROUPS)) u_last (
          .clk_i, .rst_ni, .valid_i(z_written), .ready_i(1'b1), .last_o(last_group)
      );
      assign last_pixel = last_group ? lane_q[LAST_Q-1] : lane_q[Q-1];
    end
  end

  // ---- Walk the program ---------------------------------------------------------------------------------------------
  logic           run_q, last_word_q, sum_half_q, start, program_end, drain_released;
  logic [PCW-1:0] counter_q;
  logic [1:0]     sum_used_q, sum_full_q;  // used: since its program started; full: ready to drain
  logic           drain_release_half;

  assign start       = !run_q && z_full_q[z_half_q] && !sum_used_q[sum_half_q];
  assign program_end = run_q && last_word_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      run_q       <= 1'b0;
      counter_q   <= '0;
      last_word_q <= LEN == 1;
      z_half_q    <= 1'b0;
      sum_half_q  <= 1'b0;
    end else begin
      if (start) run_q <= 1'b1;
      if (run_q) begin
        counter_q   <= counter_q + 1'b1;
        last_word_q <= 32'(counter_q) == LEN - 2;
      end
      if (program_end) begin
        run_q       <= 1'b0;
        counter_q   <= '0;
        last_word_q <= LEN == 1;
        z_half_q    <= Z_HALVES && !z_half_q;
        sum_half_q  <= SUM_HALVES && !sum_half_q;
      end
    end
  end

  // running_q: the entries are there. done_q[n]: n + 1 cycles after the program's end; [FETCH]: the last z is read,
  // [SUMS]: the last sums are there. half_q[n]: n + 1 cycles after the counter.
  logic                running_q;
  logic [SUMS:0]       done_q;
  logic [FETCH:0]      half_q;
  logic [P*ENTRYW-1:0] entries;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      running_q <= 1'b0;
      done_q    <= '0;
    end else begin
      running_q <= run_q;
      done_q    <= {done_q[SUMS-1:0], program_end};
    end
  end
  if (FETCH == 0) begin : gen_half
    always_ff @(posedge clk_i) half_q <= z_half_q;
  end else begin : gen_later_half
    always_ff @(posedge clk_i) half_q <= {half_q[FETCH-1:0], z_half_q};
  end
  assign z_released = done_q[FETCH];

  penni_rom #(
      .WIDTH(P * ENTRYW), .DEPTH(LEN), .AW(PCW), .BLOCK(PROGRAM_BLOCK), .FILE(PROGRAM_FILE)
  ) u_program (
      .clk_i, .re_i(1'b1), .raddr_i(counter_q), .rdata_o(entries)
  );

  // ---- Lanes and their z memory -------------------------------------------------------------------------------------
  logic [P*ADDRW-1:0]  z_addresses;
  logic [P*Q*ZW-1:0]   z_words;
  logic [P*UNITS*UNITW-1:0] sum_words;
  logic [P*ROWAW-1:0]  sum_rows;
  logic                sum_read_half;
  for (genvar p = 0; p < P; p++) begin : gen_lane
    penni_mac_lane #(
        .Q(Q), .ZW(ZW), .Z_SIGNED(Z_SIGNED), .CW(CW), .ADDRW(ADDRW), .STEPW(STEPW), .ROW_BIT(ROW_BIT),
        .PREADDER(PREADDER), .PAIR_SHIFT(PAIR_SHIFT), .PAIR_EXTRA(PAIR_EXTRA), .LUT_MULTIPLY(LUT_MULTIPLY),
        .ACCW(ACCW), .ROWS(LANE_ROWS), .ROWAW(ROWAW), .SUM_HALVES(SUM_HALVES), .SUM_BLOCK(SUM_BLOCK)
    ) u_lane (
        .clk_i, .rst_ni, .valid_i(running_q),
        .coef_i(entries[p*ENTRYW+:CW]), .where_i(entries[p*ENTRYW+CW+:WHEREW]),
        .last_i(ROW_BIT && entries[p*ENTRYW+ENTRYW-1]),
        .z_address_o(z_addresses[p*ADDRW+:ADDRW]), .z_word_i(z_words[p*Q*ZW+:Q*ZW]),
        .done_i(done_q[SUMS]),
        .sum_rhalf_i(sum_read_half), .sum_raddr_i(sum_rows[p*ROWAW+:ROWAW]),
        .sum_rdata_o(sum_words[p*UNITS*UNITW+:UNITS*UNITW])
    );
  end

  penni_mac_z #(
      .P(P), .WIDTH(Q * ZW / Z_LANES), .LANES(Z_LANES), .DEPTH(DEPTH), .ADDRW(ADDRW), .HALVES(Z_HALVES), .STYLE(Z_STYLE)
  ) u_z (
      .clk_i, .we_i(z_we), .waddr_i(load_address_q), .whalf_i(load_half_q), .wdata_i(z_wdata),
      .raddr_i(z_addresses), .rhalf_i(half_q[FETCH]), .rdata_o(z_words)
  );

  // ---- Buffer ownership ---------------------------------------------------------------------------------------------
  // A half of z is released after its program's end, so z_half_q is at the next one.
  logic full_half_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      z_used_q    <= '0;
      z_full_q    <= '0;
      sum_used_q  <= '0;
      sum_full_q  <= '0;
      full_half_q <= 1'b0;
    end else begin
      if (z_written) begin
        z_used_q[load_half_q] <= 1'b1;
        z_full_q[load_half_q] <= 1'b1;
      end
      if (program_end) z_full_q[z_half_q] <= 1'b0;
      if (z_released) z_used_q[Z_HALVES && !z_half_q] <= 1'b0;
      if (start) sum_used_q[sum_half_q] <= 1'b1;
      if (done_q[SUMS]) begin
        sum_full_q[full_half_q] <= 1'b1;
        full_half_q             <= SUM_HALVES && !full_half_q;
      end
      if (drain_released) begin
        sum_used_q[drain_release_half] <= 1'b0;
        sum_full_q[drain_release_half] <= 1'b0;
      end
    end
  end

  // ---- Drain and requantize -----------------------------------------------------------------------------------------
  logic                   present, step;
  logic signed [ACCW-1:0] sum;
  penni_row_sums #(
      .GROUPS(GROUPS), .LAST_Q(LAST_Q), .CO(CO), .Q(Q), .P(P), .PAIR_SHIFT(PAIR_SHIFT), .PAIR_EXTRA(PAIR_EXTRA),
      .ACCW(ACCW), .ROWAW(ROWAW), .HALVES(SUM_HALVES), .FILE(LANES_FILE)
  ) u_row_sums (
      .clk_i, .rst_ni,
      .full_i(sum_full_q), .released_o(drain_released), .released_half_o(drain_release_half),
      .rows_half_o(sum_read_half), .rows_o(sum_rows), .words_i(sum_words),
      .present_o(present), .step_i(step), .sum_o(sum)
  );
  penni_requant #(
      .CO(CO), .CYCLES(REQUANT_CYCLES), .SUM_CYCLES(PAIRS ? 5 : 4), .ACCW(ACCW), .MW(MW), .BW(BW),
      .TOTALW(TOTALW), .SHIFT(SHIFT), .YW(YW), .Y_SIGNED(Y_SIGNED), .SKIP(SKIP), .SKIPW(SKIPW), .SKIP_SIGNED(SKIP_SIGNED), .SKIP_K(SKIP_K),
      .BLOCK(REQUANT_BLOCK), .FILE(REQUANT_FILE)
  ) u_requant (
      .clk_i, .rst_ni, .present_i(present), .step_o(step), .sum_i(sum),
      .skip_valid_i, .skip_ready_o, .skip_data_i, .out_valid_o, .out_ready_i, .out_data_o
  );
endmodule
