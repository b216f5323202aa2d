/// y[p, o] = x[p*STRIDE, o - OFFSET], 0 where that channel does not exist.
///
/// Beats: pixels in raster order, channels within a pixel. Latency 0: a kept value passes straight through, so valid
/// depends on the input's valid and in_ready_o on out_ready_i. Dropped values are consumed without output, while the zero
/// channels leave that lie between the values of two kept pixels; those before a frame's first value wait for it.
module penni_subsample #(
    parameter int unsigned H = 4,
    parameter int unsigned W = 4,
    parameter int unsigned C = 2,
    parameter int unsigned STRIDE = 2,
    parameter int unsigned CO = 4,
    parameter int unsigned OFFSET = 1,
    parameter int unsigned XW = 8
) (
    input  logic          clk_i,
    input  logic          rst_ni,
    input  logic          in_valid_i,
    output logic          in_ready_o,
    input  logic [XW-1:0] in_data_i,
    output logic          out_valid_o,
    input  logic          out_ready_i,
    output logic [XW-1:0] out_data_o
);
  localparam int unsigned CW = $clog2(CO + 1);
  localparam int unsigned IW = (C > 1) ? $clog2(C) : 1;
  localparam int unsigned SW = $clog2(STRIDE + 1);
  localparam int unsigned RW = $clog2(H + 1);
  localparam int unsigned PW = $clog2(W + 1);
  localparam int unsigned LAST_ROW = (H - 1) / STRIDE * STRIDE;  // that is kept
  localparam int unsigned LAST_COLUMN = (W - 1) / STRIDE * STRIDE;

  // ---- Input: where the next value lies -----------------------------------------------------------------------------
  logic [IW-1:0] in_channel_q;
  logic [SW-1:0] row_phase_q, column_phase_q;
  logic [RW-1:0] row_q;
  logic [PW-1:0] column_q;
  logic          kept, read, pixel_read, row_end;

  assign kept       = row_phase_q == '0 && column_phase_q == '0;
  assign read       = in_valid_i && in_ready_o;
  assign pixel_read = read && in_channel_q == IW'(C - 1);
  assign row_end    = column_q == PW'(W - 1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      in_channel_q   <= '0;
      column_q       <= '0;
      row_q          <= '0;
      column_phase_q <= '0;
      row_phase_q    <= '0;
    end else if (pixel_read) begin
      in_channel_q   <= '0;
      column_q       <= row_end ? '0 : column_q + 1'b1;
      column_phase_q <= (row_end || column_phase_q == SW'(STRIDE - 1)) ? '0 : column_phase_q + 1'b1;
      if (row_end) begin
        row_q       <= (row_q == RW'(H - 1)) ? '0 : row_q + 1'b1;
        row_phase_q <= (row_q == RW'(H - 1) || row_phase_q == SW'(STRIDE - 1)) ? '0 : row_phase_q + 1'b1;
      end
    end else if (read) begin
      in_channel_q <= in_channel_q + 1'b1;
    end
  end

  // ---- Output: which channel ----------------------------------------------------------------------------------------
  logic [CW-1:0] channel_q;
  logic          from_x, first_q;  // the first pixel of a frame

  /* verilator lint_off UNSIGNED */  // OFFSET may be 0
  assign from_x = channel_q >= CW'(OFFSET) && channel_q < CW'(OFFSET + C);
  /* verilator lint_on UNSIGNED */
  assign out_valid_o = (from_x || (first_q && channel_q < CW'(OFFSET + C))) ? kept && in_valid_i : 1'b1;
  assign in_ready_o  = !kept || (from_x && out_ready_i);
  assign out_data_o  = from_x ? in_data_i : '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      channel_q <= '0;
      first_q   <= 1'b1;
    end else begin
      if (out_valid_o && out_ready_i) channel_q <= (channel_q == CW'(CO - 1)) ? '0 : channel_q + 1'b1;
      if (kept && pixel_read) first_q <= row_q == RW'(LAST_ROW) && column_q == PW'(LAST_COLUMN);
    end
  end
endmodule
