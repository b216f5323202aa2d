/// Walks a row buffer of C channels: group of Q output pixels, unit, column of KH values. A unit is a channel, or with
/// PAIRS a basis of a channel: all D, or with MASKED those whose bits in the channel's word of USED_FILE are set.
///
/// Each cycle it gives the column to read, whether a window ends with it, and a cycle later how many rows are no longer
/// needed; freed_columns_o: so many columns of the oldest row held are no longer needed either. A group starts when all
/// that it reads has arrived (penni_group_arrival).
/// Positions count from the corner of the padded map: row or column v is inside the map where PAD_TOP <= v < PAD_TOP +
/// H (or PAD_LEFT, W). With AGAIN, each window of a row begins with its first column, also where the window before it had
/// that column, too. The start of each group takes one cycle. A short last group holds its last window until Q are
/// counted; where a channel takes fewer than D cycles, its last window waits (not with PAIRS). Outputs depend on registers
/// only. What is asked of a counter in every cycle (whether it is at its end) is a register beside it.
module penni_basis_walker #(
    parameter int unsigned H = 8,
    parameter int unsigned W = 8,
    parameter int unsigned C = 4,
    parameter int unsigned HO = 8,
    parameter int unsigned WO = 8,
    parameter int unsigned KH = 3,
    parameter int unsigned KW = 3,
    parameter int unsigned STRIDE_H = 1,
    parameter int unsigned STRIDE_W = 1,
    parameter int unsigned PAD_TOP = 1,
    parameter int unsigned PAD_LEFT = 1,
    parameter int unsigned D = 5,
    parameter int unsigned Q = 4,
    parameter int unsigned ROWS = 4,
    parameter int unsigned AW = 5,
    parameter int unsigned BW = 2,
    parameter int unsigned NW = 3,
    parameter int unsigned CW = 2,
    parameter int unsigned COLW = 4,
    parameter int unsigned DW = 3,
    parameter bit PAIRS = 1'b0,
    parameter bit AGAIN = 1'b0,
    parameter bit MASKED = 1'b0,
    parameter USED_FILE = ""
) (
    input  logic            clk_i,
    input  logic            rst_ni,
    input  logic            en_i,
    input  logic            row_written_i,
    input  logic [COLW-1:0] columns_i,
    output logic [NW-1:0]   freed_o,
    output logic [COLW-1:0] freed_columns_o,
    output logic            read_o,
    output logic [AW-1:0]   address_o,
    output logic [CW-1:0]   channel_o,
    output logic [DW-1:0]   basis_o,
    output logic            column_inside_o,
    output logic [KH-1:0]   row_inside_o,
    output logic [KH*BW-1:0] row_bank_o,
    output logic            window_ends_o,
    output logic            window_is_last_o
);
  localparam int unsigned TW = (KW > 1) ? $clog2(KW) : 1;
  localparam int unsigned QW = (Q > 1) ? $clog2(Q) : 1;
  localparam int unsigned LAST_Y = (HO - 1) * STRIDE_H;           // top row of the last windows
  localparam int unsigned LAST_X = (WO - 1) * STRIDE_W + KW - 1;  // column that ends a row's last window
  localparam int unsigned XCW = $clog2(LAST_X + STRIDE_W + 1);
  localparam int unsigned YCW = $clog2(LAST_Y + STRIDE_H + 1);
  localparam logic [AW-1:0] LEFT = AW'(0) - AW'(PAD_LEFT * C);  // address of column 0; outside the map where PAD_LEFT > 0
  // From a window's last column to the next window's first.
  localparam logic [AW-1:0] NEXT = AGAIN ? AW'(STRIDE_W * C) - AW'((KW - 1) * C) : AW'(C);
  localparam int unsigned NEXT_X = AGAIN ? STRIDE_W - (KW - 1) : 1;  // modulo 2^32: may be negative
  localparam logic [TW-1:0] NEXT_MISSING = AGAIN ? TW'(KW - 1) : TW'(STRIDE_W - 1);
  // To the next group in the same row: back from the last column of the last channel to the next window, channel 0.
  localparam logic [AW-1:0] BACK = AW'(STRIDE_W * C) - AW'((KW - 1) * C) - AW'(C - 1);
  localparam int unsigned STEP_BANK = STRIDE_H % ROWS;
  localparam int unsigned FRAME_BANK = (H + (ROWS - 1) * LAST_Y) % ROWS;  // H - LAST_Y modulo ROWS
  localparam int unsigned FRAME_FREES = (LAST_Y > PAD_TOP) ? H - (LAST_Y - PAD_TOP) : H;

  /* verilator lint_off UNSIGNED */  // PAD_TOP, PAD_LEFT may be 0

  // ---- State --------------------------------------------------------------------------------------------------------
  logic           run_q, hold_q, there;
  logic           go_q;                  // run_q, and all that the group reads is there
  logic [CW-1:0]  channel_q;
  logic [XCW-1:0] x_q, x_start_q;
  logic [YCW-1:0] y_q, y_start_q;
  logic [AW-1:0]  address_q, address_start_q;
  logic [BW-1:0]  bank_q, bank_start_q;  // bank of row y; counts on across frames, and outside the map too
  logic [TW-1:0]  missing_q;             // columns still missing from the window
  logic [QW-1:0]  pixel_q;
  // missing_q is 0 (as in a hold); pixel_q, x_q, y_q, channel_q are at their last; the group's last unit; slack_q is 0.
  logic           complete_q, last_pixel_q, row_end_q, bottom_q, last_channel_q, last_unit, slack_over;

  // ---- This cycle ---------------------------------------------------------------------------------------------------
  logic advance, ends, channel_ends, finish, group_end, load;
  logic unit_ends, again, group_ends;  // this column is its unit's last one; there are more of the group's units, or none
  logic [BW-1:0] bank_next, bank_frame;

  assign advance   = go_q && (slack_over || !unit_ends);
  assign read_o    = advance && !hold_q;
  assign ends      = advance && complete_q;
  assign finish    = go_q && slack_over && unit_ends;
  assign group_end = go_q && slack_over && group_ends;
  assign load      = !run_q || (go_q && slack_over && again);

  assign address_o        = address_q;
  assign channel_o        = channel_q;
  assign column_inside_o  = 32'(x_q) >= PAD_LEFT && 32'(x_q) < PAD_LEFT + W;
  assign window_ends_o    = ends;
  assign window_is_last_o = last_pixel_q;
  for (genvar i = 0; i < KH; i++) begin : gen_row
    localparam int unsigned FROM = (PAD_TOP > i) ? PAD_TOP - i : 0;
    localparam int unsigned TO = (PAD_TOP + H > i) ? PAD_TOP + H - i : 0;  // 0: always below the map
    assign row_inside_o[i]      = 32'(y_q) >= FROM && 32'(y_q) < TO;
    assign row_bank_o[i*BW+:BW] = bank_after(bank_q, i);
  end

  // The bank of so many rows further down. A table: for sums of two or three bits yosys takes carry chains.
  function automatic logic [BW-1:0] bank_after(input logic [BW-1:0] bank, input int unsigned rows);
    bank_after = '0;
    for (int unsigned b = 0; b < ROWS; b++) if (bank == BW'(b)) bank_after = BW'((b + rows) % ROWS);
  endfunction
  assign bank_next  = bank_after(bank_q, STEP_BANK);
  assign bank_frame = bank_after(bank_q, FRAME_BANK);

  penni_group_arrival #(
      .H(H), .W(W), .HO(HO), .WO(WO), .KH(KH), .KW(KW), .STRIDE_H(STRIDE_H), .STRIDE_W(STRIDE_W),
      .PAD_TOP(PAD_TOP), .PAD_LEFT(PAD_LEFT), .Q(Q), .ROWS(ROWS), .COLW(COLW)
  ) u_arrival (
      .clk_i, .rst_ni, .row_written_i, .columns_i, .done_i(en_i && group_end), .there_o(there)
  );
  always_ff @(posedge clk_i) begin
    if (!rst_ni) go_q <= 1'b0;
    else go_q <= there && (run_q || en_i);
  end

  // A channel's last window comes at least D cycles after that of the previous channel: time for its D words to leave.
  if (!PAIRS && Q + KW - 1 < D) begin : gen_wait
    logic [DW-1:0] slack_q;
    logic          slack_over_q;
    always_ff @(posedge clk_i) begin
      if (en_i) begin
        slack_over_q <= !load && (slack_over_q || slack_q == DW'(1));
        if (load) slack_q <= DW'(D - 1);
        else if (!slack_over_q) slack_q <= slack_q - 1'b1;
      end
    end
    assign slack_over = slack_over_q;
  end else begin : gen_no_wait
    assign slack_over = 1'b1;
  end

  // Known a column ahead: what ends here decides on every register in the same cycle.
  if (Q == 1 && KW == 1) begin : gen_one_column
    assign unit_ends  = 1'b1;
    assign again      = !last_unit;
    assign group_ends = last_unit;
  end else begin : gen_ahead
    logic unit_ends_d, unit_ends_q, again_q, group_ends_q;
    assign unit_ends_d = complete_q ? 32'(pixel_q) == Q - 2 && (row_end_q ? bottom_q || KW == 1 : NEXT_MISSING == '0)
                                    : last_pixel_q && missing_q == TW'(1);
    always_ff @(posedge clk_i) begin
      if (en_i && (advance || !run_q)) begin
        unit_ends_q  <= !load && unit_ends_d;
        again_q      <= !load && unit_ends_d && !last_unit;
        group_ends_q <= !load && unit_ends_d && last_unit;
      end
    end
    assign unit_ends  = unit_ends_q;
    assign again      = again_q;
    assign group_ends = group_ends_q;
  end

  // The bases of this channel that are not done yet, the lowest one now; those of the next channel are looked up ahead.
  if (PAIRS) begin : gen_pairs
    logic [D-1:0] rest, rest_q, later, later_q, used;  // later: rest without the lowest
    logic         fresh, single_q, last_unit_q;
    assign channel_ends = single_q;
    assign last_unit    = last_unit_q;
    assign fresh        = !run_q || channel_ends;
    assign rest         = fresh ? used : later_q;
    assign later[0]     = 1'b0;
    for (genvar b = 1; b < D; b++) begin : gen_later
      assign later[b] = rest[b] && (|rest[b-1:0]);
    end
    if (MASKED) begin : gen_masked
      logic [CW-1:0] ahead_q;
      // In reset the first channel's are looked up.
      penni_rom #(
          .WIDTH(D), .DEPTH(C), .AW(CW), .FILE(USED_FILE)
      ) u_used (
          .clk_i, .re_i(1'b1), .raddr_i(rst_ni ? ahead_q : '0), .rdata_o(used)
      );
      always_ff @(posedge clk_i) begin
        if (!rst_ni) ahead_q <= '0;
        else if (en_i && load && fresh) ahead_q <= (ahead_q == CW'(C - 1)) ? '0 : ahead_q + 1'b1;
      end
    end else begin : gen_all
      assign used = '1;
    end
    always_ff @(posedge clk_i) begin
      if (en_i && load) begin
        rest_q      <= rest;
        later_q     <= later;
        single_q    <= later == '0;
        last_unit_q <= later == '0 && (!run_q ? C == 1 : channel_ends ? 32'(channel_q) == C - 2 : last_channel_q);
      end
    end
    always_comb begin
      basis_o = '0;
      for (int unsigned b = 0; b < D; b++) if (rest_q[D-1-b]) basis_o = DW'(D - 1 - b);
    end
  end else begin : gen_channels
    assign channel_ends = 1'b1;
    assign last_unit    = last_channel_q;
    assign basis_o      = '0;
  end

  // Rows are freed when the last unit has finished the output row that needed them; behind a group, what lies before the
  // next one in its first row, where that row is within the map.
  localparam int unsigned BACK_X = STRIDE_W - (KW - 1);  // to the next group's first column, modulo 2^32
  localparam int unsigned SEEN_X = (PAD_LEFT + KW - 1 > STRIDE_W) ? PAD_LEFT + KW - 1 - STRIDE_W : 0;  // that is inside
  logic           row_done, row_done_q, columns_done;
  logic [NW-1:0]  frees, frees_q;  // rows of the map from y_q to the next output row's windows
  logic [XCW-1:0] next_x;
  assign next_x       = x_q + XCW'(BACK_X);
  assign row_done     = ends && !hold_q && row_end_q && last_unit;
  assign columns_done = group_end && !row_end_q && 32'(y_q) >= PAD_TOP && 32'(x_q) >= SEEN_X;
  always_comb begin
    frees = NW'(STRIDE_H);
    for (int unsigned y = 0; y < PAD_TOP; y++) begin
      if (32'(y_q) == y) frees = (y + STRIDE_H > PAD_TOP) ? NW'(y + STRIDE_H - PAD_TOP) : '0;
    end
  end
  always_ff @(posedge clk_i) begin
    frees_q <= bottom_q ? NW'(FRAME_FREES) : frees;
    if (!rst_ni) begin
      row_done_q      <= 1'b0;
      freed_columns_o <= '0;
    end else begin
      row_done_q <= en_i && row_done;
      if (en_i && (row_done || group_end)) begin
        freed_columns_o <= columns_done ? COLW'(32'(x_q) + (BACK_X - PAD_LEFT)) : '0;
      end
    end
  end
  assign freed_o = frees_q & {NW{row_done_q}};

  logic [AW-1:0] address_next;
  assign address_next = address_start_q + AW'(run_q && channel_ends);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      run_q           <= 1'b0;
      hold_q          <= 1'b0;
      channel_q       <= '0;
      last_channel_q  <= C == 1;
      x_start_q       <= '0;
      y_start_q       <= '0;
      address_start_q <= LEFT;
      bank_start_q    <= BW'((ROWS * PAD_TOP - PAD_TOP) % ROWS);
    end else if (en_i) begin
      run_q <= !group_end;
      if (load) address_start_q <= address_next;
      if (ends && row_end_q && bottom_q) hold_q <= 1'b1;
      if (finish) begin
        hold_q <= 1'b0;
        if (channel_ends) begin
          channel_q      <= channel_q + 1'b1;
          last_channel_q <= C == 1 || 32'(channel_q) == C - 2;
        end
      end
      if (group_end) begin
        channel_q       <= '0;
        last_channel_q  <= C == 1;
        x_start_q       <= row_end_q ? '0 : next_x;
        address_start_q <= row_end_q ? LEFT : address_q + BACK;
        y_start_q       <= row_end_q ? (bottom_q ? '0 : y_q + YCW'(STRIDE_H)) : y_q;
        bank_start_q    <= row_end_q ? (bottom_q ? bank_frame : bank_next) : bank_q;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (en_i && (advance || !run_q)) begin  // in a hold, too: what is read of these then does not change
      if (load) begin
        missing_q  <= TW'(KW - 1);
        complete_q <= KW == 1;
        x_q        <= x_start_q;
        row_end_q  <= 32'(x_start_q) == LAST_X;
        y_q        <= y_start_q;
        bottom_q   <= 32'(y_start_q) == LAST_Y;
        address_q  <= address_next;
        bank_q     <= bank_start_q;
      end else if (!complete_q) begin
        missing_q  <= missing_q - 1'b1;
        complete_q <= missing_q == TW'(1);
        x_q        <= x_q + 1'b1;
        row_end_q  <= 32'(x_q) == LAST_X - 1;
        address_q  <= address_q + AW'(C);
      end else if (row_end_q) begin
        missing_q  <= TW'(KW - 1);
        complete_q <= bottom_q || KW == 1;
        x_q        <= '0;
        row_end_q  <= bottom_q || LAST_X == 0;
        address_q  <= LEFT + AW'(channel_q);
        y_q        <= y_q + YCW'(STRIDE_H);
        bottom_q   <= bottom_q || 32'(y_q) == LAST_Y - STRIDE_H;
        bank_q     <= bottom_q ? bank_q : bank_next;
      end else begin
        missing_q  <= NEXT_MISSING;
        complete_q <= NEXT_MISSING == '0;
        x_q        <= x_q + XCW'(NEXT_X);
        row_end_q  <= 32'(x_q) == LAST_X - NEXT_X;
        address_q  <= address_q + NEXT;
      end
    end
    if (en_i) begin
      if (load) begin
        pixel_q      <= '0;
        last_pixel_q <= Q == 1;
      end else if (ends) begin
        pixel_q      <= pixel_q + 1'b1;
        last_pixel_q <= 32'(pixel_q) == Q - 2;
      end
    end
  end
  /* verilator lint_on UNSIGNED */
endmodule
