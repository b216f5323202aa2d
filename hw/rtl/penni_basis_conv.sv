/// z[c,b,p] = sat(rshift(sum_t B[b,t] * x[c, p*STRIDE + t - PAD], s_b)). penni_columns buffers rows; this module forms
/// windows of its columns. The arithmetic is in a generated adder graph beside it, which takes win_o (KH*KW values, row
/// by row, the first lowest) and returns z_i (D rounded, saturated values) LATENCY cycles of en_o later.
///
/// In: one value per beat, NHWC. Out: one word of Q values for each group of Q output pixels, each of the KEPT channels,
/// each basis: all D, or with MASKED those whose bits in the channel's word of USED_FILE are set; the others leave a cycle
/// free. Cycles: one per group, plus one per column read for each channel of the group, D at least; a short last group
/// repeats its last window. First word LATENCY + 5 cycles after the last column of the group's first channel. in_ready_o,
/// out_valid_o and out_data_o are registered. The pipeline behind the row buffers stalls while two words wait at the
/// output: its enable is a register, so that out_ready_i reaches the two words' registers only.
module penni_basis_conv #(
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
    parameter bit MASKED = 1'b0,
    parameter int unsigned Q = 4,
    parameter int unsigned ROWS = 4,
    parameter int unsigned XW = 8,
    /* verilator lint_off UNUSEDPARAM */
    parameter bit X_SIGNED = 1'b0,  // used by the adder graph only
    /* verilator lint_on UNUSEDPARAM */
    parameter int unsigned ZW = 8,
    parameter int unsigned LATENCY = 3,
    parameter bit PAD_ZERO = 1'b1,
    parameter int unsigned ROW_STYLE = 1,
    parameter KEPT_FILE = "",
    parameter PAD_FILE = "",
    parameter USED_FILE = ""
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
    output logic [KH*KW*XW-1:0] win_o,
    input  logic [D*ZW-1:0]   z_i
);
  logic en;
  assign en_o = en;

  logic            read_s1, take_s1, last_s1;
  logic [KH*XW-1:0] column;
  logic [((D > 1) ? $clog2(D) : 1)-1:0] unused_basis;

  penni_columns #(
      .H(H), .W(W), .C(C), .KEPT(KEPT), .HO(HO), .WO(WO), .KH(KH), .KW(KW), .STRIDE_H(STRIDE_H), .STRIDE_W(STRIDE_W),
      .PAD_TOP(PAD_TOP), .PAD_LEFT(PAD_LEFT), .D(D), .Q(Q), .ROWS(ROWS), .XW(XW),
      .PAD_ZERO(PAD_ZERO), .ROW_STYLE(ROW_STYLE), .KEPT_FILE(KEPT_FILE), .PAD_FILE(PAD_FILE)
  ) u_columns (
      .clk_i, .rst_ni, .in_valid_i, .in_ready_o, .in_data_i,
      .en_i(en), .read_o(read_s1), .column_o(column), .basis_o(unused_basis), .take_o(take_s1), .last_o(last_s1)
  );

  // ---- Window -------------------------------------------------------------------------------------------------------
  for (genvar i = 0; i < KH; i++) begin : gen_row
    logic [KW*XW-1:0] line_q;
    always_ff @(posedge clk_i) begin
      if (en && read_s1) begin
        line_q[(KW-1)*XW+:XW] <= column[i*XW+:XW];
        for (int unsigned j = 0; j + 1 < KW; j++) line_q[j*XW+:XW] <= line_q[(j+1)*XW+:XW];
      end
    end
    assign win_o[i*KW*XW+:KW*XW] = line_q;
  end

  // ---- Gather: Q neighbouring pixels of each basis; basis b comes b cycles after basis 0: one word per cycle --------
  // take_q[n]: n enabled cycles after the window is complete; one bit for each stage of the adder graph and each basis.
  logic [LATENCY+D-1:0] take_q;
  logic [LATENCY+D-1:0] done_q;
  localparam int unsigned DW = (D > 1) ? $clog2(D) : 1;
  logic [D-1:0]         used, word_done;
  logic [DW-1:0]        basis, basis_q;  // whose word is done
  logic                 done_now_q;
  logic [D*Q*ZW-1:0]    gathered;
  logic [Q*ZW-1:0]      word;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      take_q     <= '0;
      done_q     <= '0;
      done_now_q <= 1'b0;
    end else if (en) begin
      take_q     <= {take_q[LATENCY+D-2:0], take_s1};
      done_q     <= {done_q[LATENCY+D-2:0], take_s1 && last_s1};
      done_now_q <= |word_done;
    end
  end
  assign word_done = done_q[LATENCY+:D] & used;
  always_ff @(posedge clk_i) if (en) basis_q <= basis;
  always_comb begin  // at most one is done
    basis = '0;
    for (int unsigned b = 1; b < D; b++) basis |= DW'(b) & {DW{word_done[b]}};
  end

  // Which words of a channel leave: looked up before the first is gathered, kept until the next channel's, D cycles later.
  if (MASKED) begin : gen_masked
    localparam int unsigned CW = (KEPT > 1) ? $clog2(KEPT) : 1;
    logic [CW-1:0] channel_q;
    logic          last_channel_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        channel_q      <= '0;
        last_channel_q <= KEPT == 1;
      end else if (en && done_q[LATENCY-1]) begin
        channel_q      <= last_channel_q ? '0 : channel_q + 1'b1;
        last_channel_q <= KEPT == 1 || 32'(channel_q) == KEPT - 2;
      end
    end
    penni_rom #(
        .WIDTH(D), .DEPTH(KEPT), .AW(CW), .FILE(USED_FILE)
    ) u_used (
        .clk_i, .re_i(en && done_q[LATENCY-1]), .raddr_i(channel_q), .rdata_o(used)
    );
  end else begin : gen_all
    assign used = '1;
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
  end

  // The last basis's word again behind it, up to a power of two: a multiplexer without comparisons.
  logic [(Q*ZW<<DW)-1:0] words;
  for (genvar b = 0; b < (1 << DW); b++) begin : gen_word
    localparam int unsigned FROM = (b < D) ? b : D - 1;
    assign words[b*Q*ZW+:Q*ZW] = gathered[FROM*Q*ZW+:Q*ZW];
  end
  assign word = words[basis_q*(Q*ZW)+:Q*ZW];

  penni_fifo #(
      .WIDTH(Q * ZW), .DEPTH(2)
  ) u_words (
      .clk_i, .rst_ni, .in_valid_i(done_now_q), .in_ready_o(en), .in_data_i(word),
      .out_valid_o, .out_ready_i, .out_data_o
  );
endmodule
