/// y[p, c] = the sum (SUM) or the maximum over the KH x KW window at p*STRIDE - PAD of x[., c]; positions outside the map
/// do not count. Sums are exact: RW bits hold one along a row, YW bits one of a window; of maxima, both are XW.
///
/// Separable: a memory of each channel's last KW-1 values gives the result along the row, a memory of each output
/// column's last KH-1 row results the result down the column. For maxima it is not these values that are kept but the
/// maxima of the last 1, 2, ... of them. Positions beyond the map (COLUMNS > W, ROWS > H) are
/// walked without input. Beats: pixels in raster order, channels within a pixel; one walked value per cycle; an output
/// leaves 3 cycles after its last value. Outputs are registered; in_ready_o depends on registers only:
/// two outputs wait for their reader before the walk does.
module penni_window_pool #(
    parameter int unsigned H = 4,
    parameter int unsigned W = 4,
    parameter int unsigned C = 2,
    parameter int unsigned HO = 2,
    parameter int unsigned WO = 2,
    parameter int unsigned KH = 2,
    parameter int unsigned KW = 2,
    parameter int unsigned STRIDE_H = 2,
    parameter int unsigned STRIDE_W = 2,
    parameter int unsigned PAD_TOP = 0,
    parameter int unsigned PAD_LEFT = 0,
    parameter int unsigned ROWS = 4,
    parameter int unsigned COLUMNS = 4,
    parameter int unsigned XW = 8,
    parameter bit X_SIGNED = 1'b0,
    parameter bit ROW_BLOCK = 1'b0,
    parameter bit COLUMN_BLOCK = 1'b0,
    parameter bit SUM = 1'b0,
    parameter int unsigned RW = 8,
    parameter int unsigned YW = 8
) (
    input  logic          clk_i,
    input  logic          rst_ni,
    input  logic          in_valid_i,
    output logic          in_ready_o,
    input  logic [XW-1:0] in_data_i,
    output logic          out_valid_o,
    input  logic          out_ready_i,
    output logic [YW-1:0] out_data_o
);
  localparam int unsigned NW = (KW > 1) ? KW - 1 : 1;  // values kept along a row
  localparam int unsigned NH = (KH > 1) ? KH - 1 : 1;  // results kept down a column
  localparam int unsigned CW = (C > 1) ? $clog2(C) : 1;
  localparam int unsigned VDEPTH = WO * C;
  localparam int unsigned VW = (VDEPTH > 1) ? $clog2(VDEPTH) : 1;
  localparam int unsigned LW = $clog2(ROWS + 1);
  localparam int unsigned PW = $clog2(COLUMNS + 1);
  // Counters of what is left until a window ends: first the first one, then stride by stride.
  localparam int unsigned FHW = $clog2(KH + STRIDE_H);
  localparam int unsigned FWW = $clog2(KW + STRIDE_W);
  localparam int unsigned FIRST_H = KH - 1 - PAD_TOP;   // row in which the first window ends
  localparam int unsigned FIRST_W = KW - 1 - PAD_LEFT;  // column in which the first window ends
  localparam int unsigned BEFORE_H = (H > 1) ? H - 1 : 1;  // rows of the map with another one behind them
  localparam int unsigned BEFORE_W = (W > 1) ? W - 1 : 1;
  localparam logic [XW-1:0] OUTSIDE = {X_SIGNED && !SUM, {(XW - 1) {1'b0}}};

  logic en, step, real_x;

  // Stage 0: the position of the walk.
  logic [CW-1:0] channel_q;
  logic [PW-1:0] column_q;
  logic [LW-1:0] row_q;
  logic          last_channel_q, last_column_q;
  logic          column_real_q, row_real_q;  // within the map
  logic [FWW-1:0] column_due_q;  // 0: a window ends here
  logic [FHW-1:0] row_due_q;     // likewise
  logic [VW-1:0] v_address_q;
  logic          last_channel, last_column, last_row, column_ends, row_ends;

  // Windows beyond the WO-th / HO-th do not exist: the walk may continue past the last one (sizes that the stride does
  // not divide).
  logic [$clog2(WO+1)-1:0] column_count_q;
  logic [$clog2(HO+1)-1:0] row_count_q;

  assign last_channel = last_channel_q;
  assign last_column  = last_column_q;
  assign last_row     = row_q == LW'(ROWS - 1);
  assign column_ends  = column_due_q == '0 && column_count_q != ($clog2(WO + 1))'(WO);
  assign row_ends     = row_due_q == '0 && row_count_q != ($clog2(HO + 1))'(HO);
  assign real_x       = column_real_q && row_real_q;
  assign step         = en && (!real_x || in_valid_i);
  assign in_ready_o   = en && real_x;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      channel_q      <= '0;
      column_q       <= '0;
      last_channel_q <= C == 1;
      last_column_q  <= COLUMNS == 1;
      column_real_q  <= 1'b1;
      row_real_q     <= 1'b1;
      row_q          <= '0;
      column_due_q   <= FWW'(FIRST_W);
      row_due_q      <= FHW'(FIRST_H);
      column_count_q <= '0;
      row_count_q    <= '0;
      v_address_q    <= '0;
    end else if (step) begin
      channel_q      <= last_channel ? '0 : channel_q + 1'b1;
      last_channel_q <= C == 1 || channel_q == CW'(C - 2);
      if (column_ends) v_address_q <= v_address_q + 1'b1;
      if (last_channel) begin
        column_q      <= column_q + 1'b1;
        last_column_q <= COLUMNS == 1 || column_q == PW'(COLUMNS - 2);
        column_real_q <= last_column || (W > 1 && 32'(column_q) < BEFORE_W);
        column_due_q <= (column_due_q == '0) ? FWW'(STRIDE_W - 1) : column_due_q - 1'b1;
        if (column_ends) column_count_q <= column_count_q + 1'b1;
        if (last_column) begin
          v_address_q    <= '0;
          column_q       <= '0;
          column_due_q   <= FWW'(FIRST_W);
          column_count_q <= '0;
          row_q          <= last_row ? '0 : row_q + 1'b1;
          row_real_q     <= last_row || (H > 1 && 32'(row_q) < BEFORE_H);
          row_due_q      <= (row_due_q == '0) ? FHW'(STRIDE_H - 1) : row_due_q - 1'b1;
          if (row_ends) row_count_q <= row_count_q + 1'b1;
          if (last_row) begin
            row_due_q   <= FHW'(FIRST_H);
            row_count_q <= '0;
          end
        end
      end
    end
  end

  // Stage 1: result along the row. The newest kept value, or the maximum of the fewest, is in the lowest bits.
  logic            valid_s1_q, column_ends_s1_q, row_ends_s1_q;
  logic [CW-1:0]   channel_s1_q;
  logic [VW-1:0]   v_address_s1_q;
  logic [XW-1:0]   x_s1_q;
  logic [RW-1:0]   row_y;
  logic [NW-1:0]    h_known_s1_q;  // which kept values lie inside the map
  logic [NH-1:0]    v_known_s1_q;  // likewise
  logic [NW*XW-1:0] h_before, h_after;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) valid_s1_q <= 1'b0;
    else if (en) valid_s1_q <= step;
  end
  always_ff @(posedge clk_i) begin
    if (en) begin
      x_s1_q           <= real_x ? in_data_i : OUTSIDE;
      channel_s1_q     <= channel_q;
      column_ends_s1_q <= column_ends;
      row_ends_s1_q    <= row_ends;
      v_address_s1_q   <= v_address_q;
      for (int unsigned i = 0; i < NW; i++) h_known_s1_q[i] <= column_q > PW'(i);
      for (int unsigned i = 0; i < NH; i++) v_known_s1_q[i] <= row_q > LW'(i);
    end
  end

  // Stage 2: result down the column.
  logic            valid_s2_q, row_ends_s2_q;
  logic [VW-1:0]   v_address_s2_q;
  logic [RW-1:0]   row_y_s2_q;
  logic [YW-1:0]   window_y;
  logic [NH-1:0]    v_known_s2_q;
  logic [NH*RW-1:0] v_before, v_after;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) valid_s2_q <= 1'b0;
    else if (en) valid_s2_q <= valid_s1_q && column_ends_s1_q;
  end
  always_ff @(posedge clk_i) begin
    if (en) begin
      row_y_s2_q     <= row_y;
      row_ends_s2_q  <= row_ends_s1_q;
      v_address_s2_q <= v_address_s1_q;
      v_known_s2_q   <= v_known_s1_q;
    end
  end

  penni_fifo #(
      .WIDTH(YW), .DEPTH(2)
  ) u_results (
      .clk_i, .rst_ni, .in_valid_i(valid_s2_q && row_ends_s2_q), .in_ready_o(en), .in_data_i(window_y),
      .out_valid_o, .out_ready_i, .out_data_o
  );

  if (KW == 1) begin : gen_column
    assign h_before = '0;
    assign h_after  = x_s1_q;
    assign row_y    = RW'(x_s1_q);
    logic unused;
    assign unused = ^{h_known_s1_q, h_before, h_after, channel_s1_q};
  end else begin : gen_along
    if (SUM) begin : gen_sum
      penni_sum_of #(.N(NW), .XW(XW), .X_SIGNED(X_SIGNED), .YW(RW)) u_row (
          .x_i(x_s1_q), .others_i(h_before), .known_i(h_known_s1_q), .sum_o(row_y)
      );
      if (KW == 2) begin : gen_one
        assign h_after = x_s1_q;
      end else begin : gen_more
        assign h_after = {h_before[(NW-1)*XW-1:0], x_s1_q};
      end
    end else begin : gen_max
      logic [(NW+1)*XW-1:0] maxima;
      penni_max_of #(.N(NW), .XW(XW), .X_SIGNED(X_SIGNED)) u_row (
          .x_i(x_s1_q), .before_i(h_before), .known_i(h_known_s1_q[0]), .after_o(maxima)
      );
      assign row_y   = maxima[NW*XW+:XW];
      assign h_after = maxima[NW*XW-1:0];
      if (NW > 1) begin : gen_first
        logic unused;
        assign unused = ^h_known_s1_q[NW-1:1];
      end
    end
    // A memory that is read in the cycle right after it was written is a single register instead.
    if (C == 1) begin : gen_register
      always_ff @(posedge clk_i) if (en && valid_s1_q) h_before <= h_after;
      logic unused;
      assign unused = ^channel_s1_q;
    end else begin : gen_ram
      penni_ram #(.WIDTH(NW * XW), .DEPTH(C), .AW(CW), .STYLE(32'(ROW_BLOCK))) u_ram (
          .clk_i, .we_i(en && valid_s1_q), .waddr_i(channel_s1_q), .wdata_i(h_after),
          .re_i(en), .raddr_i(channel_q), .rdata_o(h_before)
      );
    end
  end

  if (KH == 1) begin : gen_row
    assign v_before = '0;
    assign v_after  = row_y_s2_q;
    assign window_y = YW'(row_y_s2_q);
    logic unused;
    assign unused = ^{v_known_s2_q, v_before, v_after, v_address_s2_q};
  end else begin : gen_down
    if (SUM) begin : gen_sum
      penni_sum_of #(.N(NH), .XW(RW), .X_SIGNED(X_SIGNED), .YW(YW)) u_window (
          .x_i(row_y_s2_q), .others_i(v_before), .known_i(v_known_s2_q), .sum_o(window_y)
      );
      if (KH == 2) begin : gen_one
        assign v_after = row_y_s2_q;
      end else begin : gen_more
        assign v_after = {v_before[(NH-1)*RW-1:0], row_y_s2_q};
      end
    end else begin : gen_max
      logic [(NH+1)*RW-1:0] maxima;
      penni_max_of #(.N(NH), .XW(RW), .X_SIGNED(X_SIGNED)) u_window (
          .x_i(row_y_s2_q), .before_i(v_before), .known_i(v_known_s2_q[0]), .after_o(maxima)
      );
      assign window_y   = maxima[NH*RW+:RW];
      assign v_after = maxima[NH*RW-1:0];
      if (NH > 1) begin : gen_first
        logic unused;
        assign unused = ^v_known_s2_q[NH-1:1];
      end
    end
    // Results are written a cycle late, from registers: of fewer than three there is no memory.
    if (VDEPTH <= 2) begin : gen_registers
      penni_delay #(.WIDTH(NH * RW), .CYCLES(VDEPTH)) u_kept (
          .clk_i, .en_i(en && valid_s2_q), .in_i(v_after), .out_o(v_before)
      );
      logic unused;
      assign unused = ^v_address_s2_q;
    end else begin : gen_ram
      logic             valid_s3_q;
      logic [VW-1:0]    v_address_s3_q;
      logic [NH*RW-1:0] v_after_s3_q;
      always_ff @(posedge clk_i) begin
        if (!rst_ni) valid_s3_q <= 1'b0;
        else if (en) valid_s3_q <= valid_s2_q;
      end
      always_ff @(posedge clk_i) begin
        if (en) begin
          v_address_s3_q <= v_address_s2_q;
          v_after_s3_q   <= v_after;
        end
      end
      penni_ram #(.WIDTH(NH * RW), .DEPTH(VDEPTH), .AW(VW), .STYLE(32'(COLUMN_BLOCK))) u_ram (
          .clk_i, .we_i(en && valid_s3_q), .waddr_i(v_address_s3_q), .wdata_i(v_after_s3_q),
          .re_i(en), .raddr_i(v_address_s1_q), .rdata_o(v_before)
      );
    end
  end
endmodule
