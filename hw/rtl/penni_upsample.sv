/// y[h, w, c] = x[h / FACTOR, w / FACTOR, c]: nearest-neighbour upsampling by a whole factor.
///
/// A ping-pong buffer holds two rows of x. A row that has arrived is read FACTOR times, each of its pixels FACTOR times
/// in each of them, while the next row arrives in the other half; its half is free after its last read. Beats: pixels
/// in raster order, channels within a pixel; one output value per cycle. An output leaves 2 cycles after the last value
/// of its row at the earliest. Outputs are registered; in_ready_o comes from a register.
module penni_upsample #(
    /* verilator lint_off UNUSEDPARAM */
    parameter int unsigned H = 2,  // for the C++ loops, not used by the hardware: rows follow each other
    /* verilator lint_on UNUSEDPARAM */
    parameter int unsigned W = 2,
    parameter int unsigned C = 2,
    parameter int unsigned FACTOR = 2,
    parameter int unsigned XW = 8,
    parameter bit ROW_BLOCK = 1'b0
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
  localparam int unsigned ROW = W * C;
  localparam int unsigned AW = $clog2(2 * ROW);
  localparam int unsigned CW = (C > 1) ? $clog2(C) : 1;
  localparam int unsigned PW = (W > 1) ? $clog2(W) : 1;
  localparam int unsigned FW = $clog2(FACTOR);

  logic [1:0] rows_q;  // in the buffer, complete
  logic       push, row_written, step, row_read;

  // The writer: from half to half.
  logic [AW-1:0] write_q;
  assign in_ready_o  = rows_q != 2'd2;
  assign push        = in_valid_i && in_ready_o;
  assign row_written = push && (write_q == AW'(ROW - 1) || write_q == AW'(2 * ROW - 1));

  always_ff @(posedge clk_i) begin
    if (!rst_ni) write_q <= '0;
    else if (push) write_q <= (write_q == AW'(2 * ROW - 1)) ? '0 : write_q + 1'b1;
  end

  // The reader: back to the pixel's first channel until it has given FACTOR copies, back to the row's first pixel until
  // it has given FACTOR rows.
  logic [AW-1:0] read_q, read_d;
  logic [CW-1:0] channel_q;
  logic [PW-1:0] column_q;
  logic [FW-1:0] copy_q, row_copy_q;
  logic          last_channel_q, last_copy, last_column_q, last_row_copy, en;

  assign en            = !out_valid_o || out_ready_i;
  assign step          = en && rows_q != 2'd0;
  assign last_copy     = copy_q == FW'(FACTOR - 1);
  assign last_row_copy = row_copy_q == FW'(FACTOR - 1);
  assign row_read      = step && last_channel_q && last_copy && last_column_q && last_row_copy;

  always_comb begin
    read_d = (read_q == AW'(2 * ROW - 1)) ? '0 : read_q + 1'b1;
    if (last_channel_q && !last_copy) read_d = read_q - AW'(C - 1);
    else if (last_channel_q && last_column_q && !last_row_copy) read_d = read_q - AW'(ROW - 1);
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      read_q         <= '0;
      channel_q      <= '0;
      copy_q         <= '0;
      column_q       <= '0;
      row_copy_q     <= '0;
      last_channel_q <= C == 1;
      last_column_q  <= W == 1;
    end else if (step) begin
      read_q         <= read_d;
      channel_q      <= last_channel_q ? '0 : channel_q + 1'b1;
      last_channel_q <= C == 1 || 32'(channel_q) == C - 2;
      if (last_channel_q) begin
        copy_q <= last_copy ? '0 : copy_q + 1'b1;
        if (last_copy) begin
          column_q      <= last_column_q ? '0 : column_q + 1'b1;
          last_column_q <= W == 1 || 32'(column_q) == W - 2;
          if (last_column_q) row_copy_q <= last_row_copy ? '0 : row_copy_q + 1'b1;
        end
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      rows_q      <= '0;
      out_valid_o <= 1'b0;
    end else begin
      rows_q <= rows_q + 2'(row_written) - 2'(row_read);
      if (en) out_valid_o <= step;
    end
  end

  penni_ram #(.WIDTH(XW), .DEPTH(2 * ROW), .AW(AW), .STYLE(32'(ROW_BLOCK))) u_rows (
      .clk_i, .we_i(push), .waddr_i(write_q), .wdata_i(in_data_i),
      .re_i(en), .raddr_i(read_q), .rdata_o(out_data_o)
  );
endmodule
