/// Row buffer of a map, and the columns of KH values that windows over it are made of.
///
/// In: one value per beat, NHWC; in_ready_o is a register, and a value is written a cycle after it was taken. Out, while en_i: in the order of penni_basis_walker, with
/// read_o a column of column_o, KH values from the top down, the first in the lowest bits; with take_o the window is
/// complete with this column (or, without read_o, stays as it is), and last_o says that it is its unit's last. With
/// PAIRS basis_o is the column's basis. Values outside the map are 0 (PAD_ZERO) or the channel's word of PAD_FILE.
/// Of the C channels of the map KEPT are buffered and walked, those whose bits in KEPT_FILE are 1.
module penni_columns #(
    parameter int unsigned H = 8,
    parameter int unsigned W = 8,
    parameter int unsigned C = 4,
    parameter int unsigned KEPT = C,
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
    parameter int unsigned XW = 8,
    parameter bit PAD_ZERO = 1'b1,
    parameter int unsigned ROW_STYLE = 1,
    parameter bit PAIRS = 1'b0,
    parameter bit AGAIN = 1'b0,
    parameter bit MASKED = 1'b0,
    parameter int unsigned DW = (D > 1) ? $clog2(D) : 1,
    parameter KEPT_FILE = "",
    parameter PAD_FILE = "",
    parameter USED_FILE = ""
) (
    input  logic            clk_i,
    input  logic            rst_ni,
    input  logic            in_valid_i,
    output logic            in_ready_o,
    input  logic [XW-1:0]   in_data_i,
    input  logic            en_i,
    output logic            read_o,
    output logic [KH*XW-1:0] column_o,
    output logic [DW-1:0]   basis_o,
    output logic            take_o,
    output logic            last_o
);
  localparam int unsigned WORDS = W * KEPT;
  localparam int unsigned AW = (WORDS > 1) ? $clog2(WORDS) : 1;
  localparam int unsigned BW = (ROWS > 1) ? $clog2(ROWS) : 1;
  localparam int unsigned NW = $clog2(ROWS + 1);
  localparam int unsigned CW = (KEPT > 1) ? $clog2(KEPT) : 1;

  // ---- Row buffer and its writer ------------------------------------------------------------------------------------
  localparam int unsigned SW = (C > 1) ? $clog2(C) : 1;
  localparam int unsigned COLW = $clog2(W + 1);
  logic            write, pixel_written, row_written, last_value_q, last_column_q, read;
  logic [SW-1:0]   channel_q;       // of the next value of the stream
  logic [COLW-1:0] column_q, column_next;  // and its column: as many pixels of its row have arrived
  logic [COLW-1:0] freed_columns;   // first columns of the oldest row that are no longer needed
  logic [NW-1:0]   held_q, held_kept;  // rows written and not yet freed
  logic [NW-1:0]   freed;           // rows freed in this cycle

  assign write         = in_valid_i && in_ready_o;
  assign pixel_written = write && last_value_q;
  assign row_written   = pixel_written && last_column_q;
  assign held_kept     = held_q - freed;
  assign column_next   = column_q + 1'b1;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      channel_q     <= '0;
      column_q      <= '0;
      last_value_q  <= C == 1;
      last_column_q <= W == 1;
      held_q        <= '0;
      in_ready_o    <= 1'b1;
    end else begin
      if (write) begin
        channel_q    <= last_value_q ? '0 : channel_q + 1'b1;
        last_value_q <= C == 1 || 32'(channel_q) == C - 2;
      end
      if (pixel_written) begin
        column_q      <= last_column_q ? '0 : column_next;
        last_column_q <= W == 1 || 32'(column_q) == W - 2;
      end
      held_q <= held_kept + NW'(row_written);
      // Where all ROWS rows are held, the oldest makes room column by column.
      if (row_written) in_ready_o <= held_kept != NW'(ROWS - 1) || freed_columns != '0;
      else if (held_kept != NW'(ROWS)) in_ready_o <= 1'b1;
      else in_ready_o <= column_q < freed_columns && !(pixel_written && column_next == freed_columns);
    end
  end

  // A value is written a cycle after it was taken.
  logic            write_q, store, row_written_q;
  logic [XW-1:0]   data_q;
  logic [AW-1:0]   write_address_q, read_address;
  logic [ROWS-1:0] write_bank_q;  // one-hot
  logic [ROWS*XW-1:0] words;

  if (KEPT == C) begin : gen_all
    assign store = write_q;
  end else begin : gen_some
    logic kept;
    penni_rom #(
        .WIDTH(1), .DEPTH(C), .AW(SW), .FILE(KEPT_FILE)
    ) u_kept (
        .clk_i, .re_i(1'b1), .raddr_i(channel_q), .rdata_o(kept)
    );
    assign store = write_q && kept;
  end

  always_ff @(posedge clk_i) begin
    data_q <= in_data_i;
    if (!rst_ni) begin
      write_q         <= 1'b0;
      row_written_q   <= 1'b0;
      write_address_q <= '0;
      write_bank_q    <= ROWS'(1);
    end else begin
      write_q       <= write;
      row_written_q <= row_written;
      if (row_written_q) begin
        write_address_q <= '0;
        write_bank_q    <= {write_bank_q[ROWS-2:0], write_bank_q[ROWS-1]};
      end else if (store) begin
        write_address_q <= write_address_q + 1'b1;
      end
    end
  end

  penni_ram #(
      .WIDTH(XW), .LANES(ROWS), .DEPTH(WORDS), .AW(AW), .STYLE(ROW_STYLE)
  ) u_rows (
      .clk_i, .we_i(write_bank_q & {ROWS{store}}), .waddr_i(write_address_q), .wdata_i({ROWS{data_q}}),
      .re_i(en_i && read), .raddr_i(read_address), .rdata_o(words)
  );

  // ---- Walker -------------------------------------------------------------------------------------------------------
  logic [KH-1:0]    row_inside;
  logic [KH*BW-1:0] row_bank;
  logic [CW-1:0]   channel;
  logic [DW-1:0]   basis;
  logic            column_inside, window_ends, window_is_last;

  penni_basis_walker #(
      .H(H), .W(W), .C(KEPT), .HO(HO), .WO(WO), .KH(KH), .KW(KW), .STRIDE_H(STRIDE_H), .STRIDE_W(STRIDE_W),
      .PAD_TOP(PAD_TOP), .PAD_LEFT(PAD_LEFT), .D(D), .Q(Q), .ROWS(ROWS), .AW(AW), .BW(BW), .NW(NW), .CW(CW),
      .COLW(COLW), .DW(DW), .PAIRS(PAIRS), .AGAIN(AGAIN), .MASKED(MASKED), .USED_FILE(USED_FILE)
  ) u_walker (
      .clk_i, .rst_ni, .en_i, .row_written_i(row_written), .columns_i(column_q), .freed_o(freed),
      .freed_columns_o(freed_columns),
      .read_o(read), .address_o(read_address), .channel_o(channel), .basis_o(basis),
      .column_inside_o(column_inside), .row_inside_o(row_inside),
      .row_bank_o(row_bank), .window_ends_o(window_ends), .window_is_last_o(window_is_last)
  );

  // ---- Column: KH of the ROWS values, or the padding value outside the map -------------------------------------------
  logic [KH-1:0]    inside_s1_q;
  logic [KH*BW-1:0] bank_s1_q;
  logic [XW-1:0]   outside;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      read_o <= 1'b0;
      take_o <= 1'b0;
    end else if (en_i) begin
      read_o <= read;
      take_o <= window_ends;
    end
  end
  always_ff @(posedge clk_i) begin
    if (en_i) begin
      last_o      <= window_is_last;
      basis_o     <= basis;
      inside_s1_q <= row_inside & {KH{column_inside}};
      bank_s1_q   <= row_bank;
    end
  end

  if (PAD_ZERO) begin : gen_zero
    assign outside = '0;
    logic unused;
    assign unused = ^channel;
  end else begin : gen_pad
    penni_rom #(
        .WIDTH(XW), .DEPTH(KEPT), .AW(CW), .FILE(PAD_FILE)
    ) u_pad (
        .clk_i, .re_i(en_i), .raddr_i(channel), .rdata_o(outside)
    );
  end

  for (genvar i = 0; i < KH; i++) begin : gen_value
    logic [BW-1:0] bank;
    assign bank = bank_s1_q[i*BW+:BW];
    assign column_o[i*XW+:XW] = inside_s1_q[i] ? words[32'(bank)*XW+:XW] : outside;
  end
endmodule
