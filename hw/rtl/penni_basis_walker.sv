/// Walks a row buffer of C channels: group of Q output pixels, unit, column of KH values. A unit is a channel, or with
/// PAIRS a basis of a channel: all D, or with MASKED those whose bits in the channel's word of USED_FILE are set.
///
/// Each cycle it gives the column to read, whether a window ends with it, and how many rows are no longer needed. A group
/// starts when all that it reads has arrived: with this cycle's value arrived_columns_i pixels of the row being written are
/// there. freed_columns_o: so many columns of the oldest row held are no longer needed either.
/// Positions count from the corner of the padded map: row or column v is inside the map where PAD_TOP <= v < PAD_TOP +
/// H (or PAD_LEFT, W). With AGAIN, each window of a row begins with its first column, also where the window before it had
/// that column, too. The start of each group takes one cycle. A short last group holds its last window until Q are
/// counted; where a channel takes fewer than D cycles, its last window waits (not with PAIRS). Outputs depend on registers
/// only, freed_o also on en_i.
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
    input  logic [COLW-1:0] arrived_columns_i,
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
  localparam int unsigned RW = $clog2(H + ROWS + 2);
  localparam int unsigned TW = (KW > 1) ? $clog2(KW) : 1;
  localparam int unsigned QW = (Q > 1) ? $clog2(Q) : 1;
  localparam int unsigned LAST_Y = (HO - 1) * STRIDE_H;           // top row of the last windows
  localparam int unsigned LAST_X = (WO - 1) * STRIDE_W + KW - 1;  // column that ends a row's last window
  localparam int unsigned XCW = $clog2(LAST_X + STRIDE_W + 1);
  localparam int unsigned YCW = $clog2(LAST_Y + STRIDE_H + 1);
  localparam logic [AW-1:0] LEFT = AW'(0) - AW'(PAD_LEFT * C);  // address of column 0; outside the map where PAD_LEFT > 0
  // From a window's last column to the next window's first.
  localparam logic [AW-1:0] NEXT = AGAIN ? AW'(STRIDE_W * C) - AW'((KW - 1) * C) : AW'(C);
  localparam logic [XCW-1:0] NEXT_X = AGAIN ? XCW'(STRIDE_W) - XCW'(KW - 1) : XCW'(1);
  localparam logic [TW-1:0] NEXT_MISSING = AGAIN ? TW'(KW - 1) : TW'(STRIDE_W - 1);
  // To the next group in the same row: back from the last column of the last channel to the next window, channel 0.
  localparam logic [AW-1:0] BACK = AW'(STRIDE_W * C) - AW'((KW - 1) * C) - AW'(C - 1);
  localparam int unsigned STEP_BANK = STRIDE_H % ROWS;
  localparam int unsigned FRAME_BANK = (H + (ROWS - 1) * LAST_Y) % ROWS;  // H - LAST_Y modulo ROWS
  localparam int unsigned FRAME_FREES = (LAST_Y > PAD_TOP) ? H - (LAST_Y - PAD_TOP) : H;

  /* verilator lint_off UNSIGNED */  // PAD_TOP, PAD_LEFT may be 0

  // ---- State --------------------------------------------------------------------------------------------------------
  logic           run_q, hold_q;
  logic           there_q;               // all that the group reads
  logic [CW-1:0]  channel_q;
  logic [XCW-1:0] x_q, x_start_q;
  logic [YCW-1:0] y_q, y_start_q;
  logic [AW-1:0]  address_q, address_start_q;
  logic [BW-1:0]  bank_q, bank_start_q;  // bank of row y; counts on across frames, and outside the map too
  logic [TW-1:0]  missing_q;             // columns still missing from the window
  logic [QW-1:0]  pixel_q;
  logic [RW-1:0]  arrived_q;             // rows of this frame that have arrived; above H: rows of the next

  // ---- This cycle ---------------------------------------------------------------------------------------------------
  logic too_soon, step, ends, row_end, frame_end, channel_ends, last_unit, last_pixel, finish, load;
  logic [BW-1:0] bank_next, bank_frame;

  assign last_pixel   = pixel_q == QW'(Q - 1);
  assign step         = run_q && there_q && !too_soon;
  assign read_o       = step && !hold_q;
  assign ends         = step && (hold_q || missing_q == '0);
  assign row_end      = 32'(x_q) == LAST_X;
  assign frame_end    = row_end && 32'(y_q) == LAST_Y;
  assign last_unit    = channel_q == CW'(C - 1) && channel_ends;
  assign finish       = ends && last_pixel;
  assign load         = !run_q || (finish && !last_unit);

  assign address_o        = address_q;
  assign channel_o        = channel_q;
  assign column_inside_o  = 32'(x_q) >= PAD_LEFT && 32'(x_q) < PAD_LEFT + W;
  assign window_ends_o    = ends;
  assign window_is_last_o = last_pixel;
  for (genvar i = 0; i < KH; i++) begin : gen_row
    assign row_inside_o[i]         = 32'(y_q) + i >= PAD_TOP && 32'(y_q) + i < PAD_TOP + H;
    assign row_bank_o[i*BW+:BW] = (32'(bank_q) + i >= ROWS) ? BW'(32'(bank_q) + i - ROWS) : BW'(32'(bank_q) + i);
  end

  assign bank_next  = (32'(bank_q) + STEP_BANK >= ROWS) ? BW'(32'(bank_q) + STEP_BANK - ROWS)
                                                        : BW'(32'(bank_q) + STEP_BANK);
  assign bank_frame = (32'(bank_q) + FRAME_BANK >= ROWS) ? BW'(32'(bank_q) + FRAME_BANK - ROWS)
                                                         : BW'(32'(bank_q) + FRAME_BANK);

  // What the group that starts at x_start_q, y_start_q reads ends with a column of its last window: with that, or where
  // this is the row's last window, with that row, or with the whole map, which the frame's last group frees.
  localparam int unsigned LAST_WINDOW = LAST_X - (KW - 1);
  localparam int unsigned STEP_X = (Q - 1) % WO * STRIDE_W;
  localparam int unsigned STEP_Y = (Q - 1) / WO * STRIDE_H;
  localparam int unsigned GXW = $clog2(LAST_WINDOW + STEP_X + KW + 1);
  localparam int unsigned GYW = $clog2(LAST_Y + STEP_Y + STRIDE_H + PAD_TOP + KH + H + ROWS + 2);
  logic [GXW-1:0] reach, group_x;
  logic [GYW-1:0] group_y, rows_arrived, rows_needed;
  logic           wraps, frame_last, whole_row, bottom, all_there;
  assign reach        = GXW'(x_start_q) + GXW'(STEP_X);
  assign wraps        = STEP_X != 0 && reach > GXW'(LAST_WINDOW);
  assign group_x      = wraps ? reach - GXW'(WO * STRIDE_W) : reach;
  assign group_y      = GYW'(y_start_q) + (wraps ? GYW'(STEP_Y + STRIDE_H) : GYW'(STEP_Y));
  assign frame_last   = group_y > GYW'(LAST_Y) || (group_y == GYW'(LAST_Y) && group_x == GXW'(LAST_WINDOW));
  assign bottom       = group_y >= GYW'((PAD_TOP + H > KH) ? PAD_TOP + H - KH : 0);  // its lowest row is the map's
  assign whole_row    = group_x == GXW'(LAST_WINDOW) || (bottom && group_y != GYW'(y_start_q));
  assign rows_needed  = group_y + GYW'(KH);  // and PAD_TOP less
  assign rows_arrived = GYW'(arrived_q) + GYW'(PAD_TOP) + GYW'(row_written_i);
  assign all_there    = rows_arrived >= GYW'(PAD_TOP + H)
                        || (!frame_last && (rows_arrived >= rows_needed
                            || ((rows_arrived + 1'b1 >= rows_needed || rows_arrived >= GYW'(PAD_TOP + H - 1))
                                && !whole_row && 32'(arrived_columns_i) + PAD_LEFT >= 32'(group_x) + KW)));
  always_ff @(posedge clk_i) begin
    if (!rst_ni) there_q <= 1'b0;
    else if (!run_q || !there_q) there_q <= all_there;
  end

  // A channel's last window comes at least D cycles after that of the previous channel: time for its D words to leave.
  if (!PAIRS && Q + KW - 1 < D) begin : gen_wait
    logic [DW-1:0] slack_q;
    always_ff @(posedge clk_i) begin
      if (en_i) begin
        if (load) slack_q <= DW'(D - 1);
        else if (slack_q != '0) slack_q <= slack_q - 1'b1;
      end
    end
    assign too_soon = last_pixel && (hold_q || missing_q == '0) && slack_q != '0;
  end else begin : gen_no_wait
    assign too_soon = 1'b0;
  end

  // The bases of this channel that are not done yet, the lowest one now; those of the next channel are looked up ahead.
  if (PAIRS) begin : gen_pairs
    logic [CW-1:0] ahead_q;
    logic [D-1:0]  rest_q, others, used;
    logic          next_channel;
    if (MASKED) begin : gen_masked
      logic [D-1:0] mem[C];
      initial $readmemh(USED_FILE, mem);
      assign used = mem[ahead_q];
    end else begin : gen_all
      assign used = '1;
    end
    assign others       = rest_q & (rest_q - 1'b1);
    assign channel_ends = others == '0;
    assign next_channel = en_i && load && (!run_q || channel_ends);
    always_ff @(posedge clk_i) begin
      if (!rst_ni) ahead_q <= '0;
      else if (next_channel) ahead_q <= (ahead_q == CW'(C - 1)) ? '0 : ahead_q + 1'b1;
    end
    always_ff @(posedge clk_i) if (en_i && load) rest_q <= next_channel ? used : others;
    always_comb begin
      basis_o = '0;
      for (int unsigned b = 0; b < D; b++) if (rest_q[D-1-b]) basis_o = DW'(D - 1 - b);
    end
  end else begin : gen_channels
    assign channel_ends = 1'b1;
    assign basis_o      = '0;
  end

  // Rows are freed when the last unit has finished the output row that needed them.
  logic row_done;
  assign row_done = en_i && ends && !hold_q && row_end && last_unit;
  always_comb begin
    freed_o = '0;
    if (row_done) begin
      if (frame_end) freed_o = NW'(FRAME_FREES);
      else if (32'(y_q) >= PAD_TOP) freed_o = NW'(STRIDE_H);
      else if (32'(y_q) + STRIDE_H > PAD_TOP) freed_o = NW'(32'(y_q) + STRIDE_H - PAD_TOP);
    end
  end

  // Behind a group: what lies before the next one in its first row, where that row is within the map.
  logic [XCW-1:0] next_x;
  assign next_x = x_q + XCW'(STRIDE_W) - XCW'(KW - 1);
  always_ff @(posedge clk_i) begin
    if (!rst_ni || row_done) freed_columns_o <= '0;
    else if (en_i && finish && last_unit) begin
      freed_columns_o <= (row_end || 32'(y_q) < PAD_TOP || 32'(next_x) < PAD_LEFT) ? '0
                                                                                  : COLW'(32'(next_x) - PAD_LEFT);
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) arrived_q <= '0;
    else arrived_q <= arrived_q + RW'(row_written_i) - ((row_done && frame_end) ? RW'(H) : '0);
  end

  logic [AW-1:0] address_next;
  assign address_next = address_start_q + AW'(run_q && channel_ends);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      run_q           <= 1'b0;
      hold_q          <= 1'b0;
      channel_q       <= '0;
      x_start_q       <= '0;
      y_start_q       <= '0;
      address_start_q <= LEFT;
      bank_start_q    <= BW'((ROWS * PAD_TOP - PAD_TOP) % ROWS);
    end else if (en_i) begin
      if (load) begin
        run_q           <= 1'b1;
        address_start_q <= address_next;
      end
      if (ends && frame_end) hold_q <= 1'b1;
      if (finish) begin
        hold_q    <= 1'b0;
        channel_q <= channel_q + CW'(channel_ends);
        if (last_unit) begin
          run_q           <= 1'b0;
          channel_q       <= '0;
          x_start_q       <= row_end ? '0 : next_x;
          address_start_q <= row_end ? LEFT : address_q + BACK;
          if (row_end) begin
            y_start_q    <= frame_end ? '0 : y_q + YCW'(STRIDE_H);
            bank_start_q <= frame_end ? bank_frame : bank_next;
          end else begin
            y_start_q    <= y_q;
            bank_start_q <= bank_q;
          end
        end
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      if (read_o) begin
        if (missing_q != '0) begin
          missing_q <= missing_q - 1'b1;
          x_q       <= x_q + 1'b1;
          address_q <= address_q + AW'(C);
        end else if (!frame_end && !last_pixel) begin
          missing_q <= NEXT_MISSING;
          x_q       <= x_q + NEXT_X;
          address_q <= address_q + NEXT;
          if (row_end) begin
            missing_q <= TW'(KW - 1);
            x_q       <= '0;
            address_q <= LEFT + AW'(channel_q);
            y_q       <= y_q + YCW'(STRIDE_H);
            bank_q    <= bank_next;
          end
        end
      end
      if (ends) pixel_q <= pixel_q + 1'b1;
      if (load) begin
        missing_q <= TW'(KW - 1);
        pixel_q   <= '0;
        x_q       <= x_start_q;
        y_q       <= y_start_q;
        address_q <= address_next;
        bank_q    <= bank_start_q;
      end
    end
  end
  /* verilator lint_on UNSIGNED */
endmodule
