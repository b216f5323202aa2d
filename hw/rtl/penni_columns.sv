/// Row buffer of a map, and the columns of K values that windows over it are made of.
///
/// In: one value per beat, NHWC; in_ready_o is registered. Out, while en_i: in the order of penni_basis_walker, with
/// read_o a column of column_o, K values from the top down, the first in the lowest bits; with take_o the window is
/// complete with this column (or, without read_o, stays as it is), and last_o says that it is its group's last. Values
/// outside the map are 0 (PAD_ZERO) or the channel's word of PAD_FILE.
module penni_columns #(
    parameter int unsigned H = 8,
    parameter int unsigned W = 8,
    parameter int unsigned C = 4,
    parameter int unsigned HO = 8,
    parameter int unsigned WO = 8,
    parameter int unsigned K = 3,
    parameter int unsigned STRIDE = 1,
    parameter int unsigned PAD = 1,
    parameter int unsigned D = 5,
    parameter int unsigned Q = 4,
    parameter int unsigned ROWS = 4,
    parameter int unsigned XW = 8,
    parameter bit PAD_ZERO = 1'b1,
    parameter bit BLOCK = 1'b1,
    parameter PAD_FILE = ""
) (
    input  logic            clk_i,
    input  logic            rst_ni,
    input  logic            in_valid_i,
    output logic            in_ready_o,
    input  logic [XW-1:0]   in_data_i,
    input  logic            en_i,
    output logic            read_o,
    output logic [K*XW-1:0] column_o,
    output logic            take_o,
    output logic            last_o
);
  localparam int unsigned WORDS = W * C;
  localparam int unsigned AW = (WORDS > 1) ? $clog2(WORDS) : 1;
  localparam int unsigned BW = (ROWS > 1) ? $clog2(ROWS) : 1;
  localparam int unsigned NW = $clog2(ROWS + 1);
  localparam int unsigned CW = (C > 1) ? $clog2(C) : 1;

  // ---- Row buffer and its writer ------------------------------------------------------------------------------------
  logic            write, row_written, read;
  logic [AW-1:0]   write_address_q, read_address;
  logic [ROWS-1:0] write_bank_q;  // one-hot
  logic [NW-1:0]   held_q;        // rows written and not yet freed
  logic [NW-1:0]   freed;         // rows freed in this cycle
  logic [ROWS*XW-1:0] words;

  assign in_ready_o  = held_q != NW'(ROWS);
  assign write       = in_valid_i && in_ready_o;
  assign row_written = write && write_address_q == AW'(WORDS - 1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      write_address_q <= '0;
      write_bank_q    <= ROWS'(1);
      held_q          <= '0;
    end else begin
      if (write) write_address_q <= row_written ? '0 : write_address_q + 1'b1;
      if (row_written) write_bank_q <= {write_bank_q[ROWS-2:0], write_bank_q[ROWS-1]};
      held_q <= held_q + NW'(row_written) - freed;
    end
  end

  penni_ram #(
      .WIDTH(XW), .LANES(ROWS), .DEPTH(WORDS), .AW(AW), .BLOCK(BLOCK)
  ) u_rows (
      .clk_i, .we_i(write_bank_q & {ROWS{write}}), .waddr_i(write_address_q), .wdata_i({ROWS{in_data_i}}),
      .re_i(en_i && read), .raddr_i(read_address), .rdata_o(words)
  );

  // ---- Walker -------------------------------------------------------------------------------------------------------
  logic [K-1:0]    row_inside;
  logic [K*BW-1:0] row_bank;
  logic [CW-1:0]   channel;
  logic            column_inside, window_ends, window_is_last;

  penni_basis_walker #(
      .H(H), .W(W), .C(C), .HO(HO), .WO(WO), .K(K), .STRIDE(STRIDE), .PAD(PAD), .D(D), .Q(Q), .ROWS(ROWS),
      .AW(AW), .BW(BW), .NW(NW), .CW(CW)
  ) u_walker (
      .clk_i, .rst_ni, .en_i, .row_written_i(row_written), .freed_o(freed),
      .read_o(read), .address_o(read_address), .channel_o(channel), .column_inside_o(column_inside),
      .row_inside_o(row_inside), .row_bank_o(row_bank), .window_ends_o(window_ends), .window_is_last_o(window_is_last)
  );

  // ---- Column: K of the ROWS values, or the padding value outside the map -------------------------------------------
  logic [K-1:0]    inside_s1_q;
  logic [K*BW-1:0] bank_s1_q;
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
      inside_s1_q <= row_inside & {K{column_inside}};
      bank_s1_q   <= row_bank;
    end
  end

  if (PAD_ZERO) begin : gen_zero
    assign outside = '0;
    logic unused;
    assign unused = ^channel;
  end else begin : gen_pad
    penni_rom #(
        .WIDTH(XW), .DEPTH(C), .AW(CW), .FILE(PAD_FILE)
    ) u_pad (
        .clk_i, .re_i(en_i), .raddr_i(channel), .rdata_o(outside)
    );
  end

  for (genvar i = 0; i < K; i++) begin : gen_value
    logic [BW-1:0] bank;
    assign bank = bank_s1_q[i*BW+:BW];
    assign column_o[i*XW+:XW] = inside_s1_q[i] ? words[32'(bank)*XW+:XW] : outside;
  end
endmodule
