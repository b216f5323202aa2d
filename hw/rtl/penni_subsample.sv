/// y[p, o] = x[p*STRIDE, o - OFFSET], 0 where that channel does not exist.
///
/// Beats: pixels in raster order, channels within a pixel. Latency 0: a kept value passes straight through, so valid
/// depends on the input's valid and in_ready_o on out_ready_i. Zero channels before those of x wait for the
/// pixel, those after them do not; dropped values are consumed without output.
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
  localparam int unsigned SW = $clog2(STRIDE + 1);
  localparam int unsigned RW = $clog2(H + 1);
  localparam int unsigned PW = $clog2(W + 1);

  // channel_q counts the channels of the result in a kept pixel, those of x (from OFFSET on) in a dropped one.
  logic [CW-1:0] channel_q;
  logic [SW-1:0] row_phase_q, column_phase_q;
  logic [RW-1:0] row_q;
  logic [PW-1:0] column_q;
  logic kept, kept_next, from_x, step, last_channel, last_column, last_row;
  logic [SW-1:0] row_phase_d, column_phase_d;

  assign kept         = row_phase_q == '0 && column_phase_q == '0;
  /* verilator lint_off UNSIGNED */  // OFFSET may be 0
  assign from_x       = channel_q >= CW'(OFFSET) && channel_q < CW'(OFFSET + C);
  /* verilator lint_on UNSIGNED */
  assign last_channel = kept ? channel_q == CW'(CO - 1) : channel_q == CW'(OFFSET + C - 1);
  assign last_column  = column_q == PW'(W - 1);
  assign last_row     = row_q == RW'(H - 1);

  assign out_valid_o  = kept && (in_valid_i || channel_q >= CW'(OFFSET + C));
  assign in_ready_o   = from_x && (!kept || out_ready_i);
  assign out_data_o   = from_x ? in_data_i : '0;
  assign step         = kept ? out_valid_o && out_ready_i : in_valid_i;

  always_comb begin
    column_phase_d = (column_phase_q == SW'(STRIDE - 1)) ? '0 : column_phase_q + 1'b1;
    row_phase_d    = row_phase_q;
    if (last_column) begin
      column_phase_d = '0;
      row_phase_d    = (last_row || row_phase_q == SW'(STRIDE - 1)) ? '0 : row_phase_q + 1'b1;
    end
  end
  assign kept_next = row_phase_d == '0 && column_phase_d == '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      channel_q      <= '0;
      column_q       <= '0;
      row_q          <= '0;
      column_phase_q <= '0;
      row_phase_q    <= '0;
    end else if (step) begin
      channel_q <= channel_q + 1'b1;
      if (last_channel) begin
        channel_q      <= kept_next ? '0 : CW'(OFFSET);
        column_q       <= last_column ? '0 : column_q + 1'b1;
        column_phase_q <= column_phase_d;
        row_phase_q    <= row_phase_d;
        if (last_column) row_q <= last_row ? '0 : row_q + 1'b1;
      end
    end
  end
endmodule
