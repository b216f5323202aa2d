/// y[p, c] = the sum (SUM) or the maximum over the K x K window at p*STRIDE - PAD of x[., c]; positions outside the map
/// do not count. Sums are exact: RW bits hold one along a row, YW bits one of a window; of maxima, both are XW.
///
/// Separable: a memory of each channel's last K-1 values gives the result along the row, a memory of each output
/// column's last K-1 row results the result down the column. Positions beyond the map (COLUMNS > W, ROWS > H) are
/// walked without input. Beats: pixels in raster order, channels within a pixel; one walked value per cycle; an output
/// leaves 3 cycles after its last value. Outputs are registered; in_ready_o depends on out_ready_i.
module penni_window_pool #(
    parameter int unsigned H = 4,
    parameter int unsigned W = 4,
    parameter int unsigned C = 2,
    parameter int unsigned HO = 2,
    parameter int unsigned WO = 2,
    parameter int unsigned K = 2,
    parameter int unsigned STRIDE = 2,
    parameter int unsigned PAD = 0,
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
  localparam int unsigned N = (K > 1) ? K - 1 : 1;  // values kept
  localparam int unsigned CW = (C > 1) ? $clog2(C) : 1;
  localparam int unsigned VDEPTH = WO * C;
  localparam int unsigned VW = (VDEPTH > 1) ? $clog2(VDEPTH) : 1;
  localparam int unsigned LW = $clog2(ROWS + 1);
  localparam int unsigned PW = $clog2(COLUMNS + 1);
  localparam int unsigned FW = $clog2(K + STRIDE);  // counts down to the first window's end, then STRIDE by STRIDE
  localparam int unsigned FIRST = K - 1 - PAD;      // row or column at which the first window ends
  localparam logic [XW-1:0] OUTSIDE = {X_SIGNED && !SUM, {(XW - 1) {1'b0}}};

  logic en, step, real_x;
  assign en = !out_valid_o || out_ready_i;

  // Stage 0: the position of the walk.
  logic [CW-1:0] channel_q;
  logic [PW-1:0] column_q;
  logic [LW-1:0] row_q;
  logic [FW-1:0] column_due_q, row_due_q;  // 0: a window ends here
  logic [VW-1:0] v_address_q;
  logic          last_channel, last_column, last_row, column_ends, row_ends;

  // Windows beyond the WO-th / HO-th do not exist: the walk may continue past the last one (sizes that STRIDE does not
  // divide).
  logic [$clog2(WO+1)-1:0] column_count_q;
  logic [$clog2(HO+1)-1:0] row_count_q;

  assign last_channel = channel_q == CW'(C - 1);
  assign last_column  = column_q == PW'(COLUMNS - 1);
  assign last_row     = row_q == LW'(ROWS - 1);
  assign column_ends  = column_due_q == '0 && column_count_q != ($clog2(WO + 1))'(WO);
  assign row_ends     = row_due_q == '0 && row_count_q != ($clog2(HO + 1))'(HO);
  assign real_x       = column_q < PW'(W) && row_q < LW'(H);
  assign step         = en && (!real_x || in_valid_i);
  assign in_ready_o   = en && real_x;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      channel_q      <= '0;
      column_q       <= '0;
      row_q          <= '0;
      column_due_q   <= FW'(FIRST);
      row_due_q      <= FW'(FIRST);
      column_count_q <= '0;
      row_count_q    <= '0;
      v_address_q    <= '0;
    end else if (step) begin
      channel_q <= last_channel ? '0 : channel_q + 1'b1;
      if (column_ends) v_address_q <= v_address_q + 1'b1;
      if (last_channel) begin
        column_q     <= column_q + 1'b1;
        column_due_q <= (column_due_q == '0) ? FW'(STRIDE - 1) : column_due_q - 1'b1;
        if (column_ends) column_count_q <= column_count_q + 1'b1;
        if (last_column) begin
          v_address_q    <= '0;
          column_q       <= '0;
          column_due_q   <= FW'(FIRST);
          column_count_q <= '0;
          row_q          <= last_row ? '0 : row_q + 1'b1;
          row_due_q      <= (row_due_q == '0) ? FW'(STRIDE - 1) : row_due_q - 1'b1;
          if (row_ends) row_count_q <= row_count_q + 1'b1;
          if (last_row) begin
            row_due_q   <= FW'(FIRST);
            row_count_q <= '0;
          end
        end
      end
    end
  end

  // Stage 1: result along the row. The newest kept value is in the lowest bits.
  logic            valid_s1_q, column_ends_s1_q, row_ends_s1_q;
  logic [CW-1:0]   channel_s1_q;
  logic [VW-1:0]   v_address_s1_q;
  logic [XW-1:0]   x_s1_q;
  logic [RW-1:0]   row_y;
  logic [N-1:0]    h_known_s1_q, v_known_s1_q;  // which kept values lie inside the map
  logic [N*XW-1:0] h_before, h_after;

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
      for (int unsigned i = 0; i < N; i++) begin
        h_known_s1_q[i] <= column_q > PW'(i);
        v_known_s1_q[i] <= row_q > LW'(i);
      end
    end
  end

  // Stage 2: result down the column.
  logic            valid_s2_q, row_ends_s2_q;
  logic [VW-1:0]   v_address_s2_q;
  logic [RW-1:0]   row_y_s2_q;
  logic [YW-1:0]   window_y;
  logic [N-1:0]    v_known_s2_q;
  logic [N*RW-1:0] v_before, v_after;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_s2_q  <= 1'b0;
      out_valid_o <= 1'b0;
    end else if (en) begin
      valid_s2_q  <= valid_s1_q && column_ends_s1_q;
      out_valid_o <= valid_s2_q && row_ends_s2_q;
    end
  end
  always_ff @(posedge clk_i) begin
    if (en) begin
      row_y_s2_q     <= row_y;
      row_ends_s2_q  <= row_ends_s1_q;
      v_address_s2_q <= v_address_s1_q;
      v_known_s2_q   <= v_known_s1_q;
      out_data_o     <= window_y;
    end
  end

  if (K == 1) begin : gen_pixel
    assign h_before = '0;
    assign v_before = '0;
    assign h_after  = x_s1_q;
    assign v_after  = row_y_s2_q;
    assign row_y    = RW'(x_s1_q);
    assign window_y = YW'(row_y_s2_q);
    logic unused;
    assign unused = ^{h_known_s1_q, v_known_s2_q, h_before, v_before, h_after, v_after, channel_s1_q, v_address_s2_q};
  end else begin : gen_window
    if (SUM) begin : gen_sum
      penni_sum_of #(.N(N), .XW(XW), .X_SIGNED(X_SIGNED), .YW(RW)) u_row (
          .x_i(x_s1_q), .others_i(h_before), .known_i(h_known_s1_q), .sum_o(row_y)
      );
      penni_sum_of #(.N(N), .XW(RW), .X_SIGNED(X_SIGNED), .YW(YW)) u_window (
          .x_i(row_y_s2_q), .others_i(v_before), .known_i(v_known_s2_q), .sum_o(window_y)
      );
    end else begin : gen_max
      penni_max_of #(.N(N), .XW(XW), .X_SIGNED(X_SIGNED)) u_row (
          .x_i(x_s1_q), .others_i(h_before), .known_i(h_known_s1_q), .max_o(row_y)
      );
      penni_max_of #(.N(N), .XW(RW), .X_SIGNED(X_SIGNED)) u_window (
          .x_i(row_y_s2_q), .others_i(v_before), .known_i(v_known_s2_q), .max_o(window_y)
      );
    end
    if (K == 2) begin : gen_one
      assign h_after = x_s1_q;
      assign v_after = row_y_s2_q;
    end else begin : gen_more
      assign h_after = {h_before[(N-1)*XW-1:0], x_s1_q};
      assign v_after = {v_before[(N-1)*RW-1:0], row_y_s2_q};
    end
    // A memory that is read in the cycle right after it was written is a single register instead.
    if (C == 1) begin : gen_h_register
      always_ff @(posedge clk_i) if (en && valid_s1_q) h_before <= h_after;
      logic unused;
      assign unused = ^channel_s1_q;
    end else begin : gen_h_ram
      penni_ram #(.WIDTH(N * XW), .DEPTH(C), .AW(CW), .BLOCK(ROW_BLOCK)) u_ram (
          .clk_i, .we_i(en && valid_s1_q), .waddr_i(channel_s1_q), .wdata_i(h_after),
          .re_i(en), .raddr_i(channel_q), .rdata_o(h_before)
      );
    end
    if (VDEPTH == 1) begin : gen_v_register
      always_ff @(posedge clk_i) if (en && valid_s2_q) v_before <= v_after;
      logic unused;
      assign unused = ^v_address_s2_q;
    end else begin : gen_v_ram
      penni_ram #(.WIDTH(N * RW), .DEPTH(VDEPTH), .AW(VW), .BLOCK(COLUMN_BLOCK)) u_ram (
          .clk_i, .we_i(en && valid_s2_q), .waddr_i(v_address_s2_q), .wdata_i(v_after),
          .re_i(en), .raddr_i(v_address_s1_q), .rdata_o(v_before)
      );
    end
  end
endmodule
