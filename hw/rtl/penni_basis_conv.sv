/// z[c,b,p] = sat(rshift(sum_t B[b,t] * x[c, p*STRIDE + t - PAD], s_b)). This module buffers rows and forms windows;
/// the arithmetic is in a generated adder graph beside it, which takes win_o (K*K values, row by row, the first lowest)
/// and returns z_i (D rounded, saturated values) LATENCY cycles of en_o later.
///
/// In: one value per beat, NHWC. Out: one word of Q values for each group of Q output pixels, each channel, each basis.
/// Cycles: one per group, plus one per column read for each channel of the group; a short last group repeats its last
/// window. First word LATENCY + 5 cycles after the last column of the group's first channel. in_ready_o, out_valid_o
/// and out_data_o are registered; the whole pipeline behind the row buffers stalls while the output waits.
module penni_basis_conv #(
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
    /* verilator lint_off UNUSEDPARAM */
    parameter bit X_SIGNED = 1'b0,  // used by the adder graph only
    /* verilator lint_on UNUSEDPARAM */
    parameter int unsigned ZW = 8,
    parameter int unsigned LATENCY = 3,
    parameter bit PAD_ZERO = 1'b1,
    parameter bit BLOCK = 1'b1,
    parameter PAD_FILE = ""
) (
    input  logic              clk_i,
    input  logic              rst_ni,
    input  logic              in_valid_i,
    output logic              in_ready_o,
    input  logic [XW-1:0]     in_data_i,
    output logic              out_valid_o,
    input  logic              out_ready_i,
    output logic [Q*ZW-1:0]   out_data_o,
    output logic              en_o,
    output logic [K*K*XW-1:0] win_o,
    input  logic [D*ZW-1:0]   z_i
);
  localparam int unsigned WORDS = W * C;
  localparam int unsigned AW = (WORDS > 1) ? $clog2(WORDS) : 1;
  localparam int unsigned BW = (ROWS > 1) ? $clog2(ROWS) : 1;
  localparam int unsigned NW = $clog2(ROWS + 1);
  localparam int unsigned CW = (C > 1) ? $clog2(C) : 1;

  logic en;
  assign en   = !out_valid_o || out_ready_i;
  assign en_o = en;

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
      .re_i(en && read), .raddr_i(read_address), .rdata_o(words)
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
      .clk_i, .rst_ni, .en_i(en), .row_written_i(row_written), .freed_o(freed),
      .read_o(read), .address_o(read_address), .channel_o(channel), .column_inside_o(column_inside),
      .row_inside_o(row_inside), .row_bank_o(row_bank), .window_ends_o(window_ends), .window_is_last_o(window_is_last)
  );

  // ---- Column: K of the ROWS values, or the padding value outside the map -------------------------------------------
  logic            read_s1_q, take_s1_q, last_s1_q;
  logic [K-1:0]    inside_s1_q;
  logic [K*BW-1:0] bank_s1_q;
  logic [XW-1:0]   outside;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      take_s1_q <= 1'b0;
    end else if (en) begin
      take_s1_q <= window_ends;
    end
  end
  always_ff @(posedge clk_i) begin
    if (en) begin
      read_s1_q   <= read;
      last_s1_q   <= window_is_last;
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
        .clk_i, .re_i(en), .raddr_i(channel), .rdata_o(outside)
    );
  end

  // ---- Window -------------------------------------------------------------------------------------------------------
  for (genvar i = 0; i < K; i++) begin : gen_row
    logic [BW-1:0]   bank;
    logic [XW-1:0]   value;
    logic [K*XW-1:0] line_q;
    assign bank  = bank_s1_q[i*BW+:BW];
    assign value = words[32'(bank)*XW+:XW];
    always_ff @(posedge clk_i) begin
      if (en && read_s1_q) begin
        line_q[(K-1)*XW+:XW] <= inside_s1_q[i] ? value : outside;
        for (int unsigned j = 0; j + 1 < K; j++) line_q[j*XW+:XW] <= line_q[(j+1)*XW+:XW];
      end
    end
    assign win_o[i*K*XW+:K*XW] = line_q;
  end

  // ---- Gather: Q neighbouring pixels of each basis; basis b comes b cycles after basis 0: one word per cycle --------
  // take_q[n]: n enabled cycles after the window is complete; one bit for each stage of the adder graph and each basis.
  logic [LATENCY+D-1:0] take_q;
  logic [LATENCY+D:0]   done_q;
  logic [D-1:0]         word_done;
  logic [D*Q*ZW-1:0]    gathered;
  logic [Q*ZW-1:0]      word;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      take_q <= '0;
      done_q <= '0;
    end else if (en) begin
      take_q <= {take_q[LATENCY+D-2:0], take_s1_q};
      done_q <= {done_q[LATENCY+D-1:0], take_s1_q && last_s1_q};
    end
  end

  for (genvar b = 0; b < D; b++) begin : gen_basis
    logic [ZW-1:0] z;
    penni_delay #(.WIDTH(ZW), .CYCLES(b)) u_delay (.clk_i, .en_i(en), .in_i(z_i[b*ZW+:ZW]), .out_o(z));

    logic [Q*ZW-1:0] gather_q;
    if (Q == 1) begin : gen_single
      always_ff @(posedge clk_i) if (en && take_q[LATENCY+b]) gather_q <= z;
    end else begin : gen_shift
      always_ff @(posedge clk_i) if (en && take_q[LATENCY+b]) gather_q <= {z, gather_q[Q*ZW-1:ZW]};
    end
    assign gathered[b*Q*ZW+:Q*ZW] = gather_q;
    assign word_done[b] = done_q[LATENCY+b+1];
  end

  always_comb begin
    word = '0;
    for (int unsigned b = 0; b < D; b++) word |= gathered[b*Q*ZW+:Q*ZW] & {Q*ZW{word_done[b]}};
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) out_valid_o <= 1'b0;
    else if (en) out_valid_o <= |word_done;
  end
  always_ff @(posedge clk_i) if (en) out_data_o <= word;
endmodule
