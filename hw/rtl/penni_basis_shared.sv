/// z[c,b,p] = sat((HALF + sum_t B[b,t] * x[c, p*STRIDE + t - PAD]) >>> SHIFT), with KH*PER_ROW multipliers that take turns:
/// what penni_basis_conv computes, in few LUTs. PER_ROW = 1: a column of a window per cycle, accumulated over KW cycles.
/// PER_ROW = KW: a window per cycle; neighbouring windows share the columns that are read.
///
/// The sum of the products is one chain of DSP post-adders. Row i of the multipliers works i*PER_ROW cycles later than row
/// 0. The multipliers of a row take the same value; each adds its product to the sum of the one before it as it was one
/// cycle ago, which is that of the window's previous column.
///
/// In: one value per beat, NHWC. Out: one word of Q values for each group of Q output pixels, each of the KEPT channels,
/// each basis: all D, or with MASKED those whose bits in the channel's word of USED_FILE are set. Cycles: one per group,
/// plus one per column read for each word of the group; a short last group repeats its last value. A word follows
/// (KH - 1)*PER_ROW + 7 cycles after its last column was read. in_ready_o, out_valid_o and out_data_o are registered.
/// Everything behind the row buffer stalls where the next word's first value finds the output still waiting.
///
/// Words of COEFS_FILE: KH*PER_ROW values, row by row, the first lowest; at the basis, or with PER_ROW = 1 at {basis,
/// column}.
module penni_basis_shared #(
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
    parameter bit X_SIGNED = 1'b0,
    parameter int unsigned CW = 8,
    parameter int unsigned ACCW = 20,
    parameter int unsigned SHIFT = 8,
    parameter int unsigned ZW = 8,
    parameter bit Z_SIGNED = 1'b1,
    parameter int unsigned PER_ROW = 1,
    /* verilator lint_off UNUSEDPARAM */
    parameter int unsigned UNITS = 20,  // words of a group: used in C++ only
    /* verilator lint_on UNUSEDPARAM */
    parameter bit PAD_ZERO = 1'b1,
    parameter int unsigned ROW_STYLE = 1,
    parameter COEFS_FILE = "",
    parameter KEPT_FILE = "",
    parameter PAD_FILE = "",
    parameter USED_FILE = ""
) (
    input  logic            clk_i,
    input  logic            rst_ni,
    input  logic            in_valid_i,
    output logic            in_ready_o,
    input  logic [XW-1:0]   in_data_i,
    output logic            out_valid_o,
    input  logic            out_ready_i,
    output logic [Q*ZW-1:0] out_data_o
);
  localparam int unsigned DW = (D > 1) ? $clog2(D) : 1;
  localparam int unsigned TW = (PER_ROW == 1) ? $clog2(KW) : 0;  // of the column in it
  localparam int unsigned AW = (D == 1 && PER_ROW == 1) ? TW : DW + TW;  // of a coefficient's address
  localparam int unsigned LAST = (KH - 1) * PER_ROW + 3;         // a window's sum is complete LAST + 2 stages behind its read
  localparam logic signed [ACCW-1:0] HALF = (SHIFT == 0) ? '0 : ACCW'(1) << (SHIFT - 1);

  logic en;  // a register: not (done_q and out_valid_o)

  // ---- s1: columns --------------------------------------------------------------------------------------------------
  logic             read_s1, take_s1, last_s1;
  logic [KH*XW-1:0] column_s1;
  logic [DW-1:0]    basis_s1;

  penni_columns #(
      .H(H), .W(W), .C(C), .KEPT(KEPT), .HO(HO), .WO(WO), .KH(KH), .KW(KW), .STRIDE_H(STRIDE_H), .STRIDE_W(STRIDE_W),
      .PAD_TOP(PAD_TOP), .PAD_LEFT(PAD_LEFT), .D(D), .Q(Q), .ROWS(ROWS), .XW(XW),
      .PAD_ZERO(PAD_ZERO), .ROW_STYLE(ROW_STYLE), .PAIRS(1'b1), .AGAIN(PER_ROW == 1), .MASKED(MASKED),
      .KEPT_FILE(KEPT_FILE), .PAD_FILE(PAD_FILE), .USED_FILE(USED_FILE)
  ) u_columns (
      .clk_i, .rst_ni, .in_valid_i, .in_ready_o, .in_data_i, .en_i(en),
      .read_o(read_s1), .column_o(column_s1), .basis_o(basis_s1), .take_o(take_s1), .last_o(last_s1)
  );

  // ---- s2: values, and where their coefficients lie -----------------------------------------------------------------
  logic [AW-1:0]    word_s1;
  logic [KH*XW-1:0] column_s2_q;

  if (PER_ROW == 1) begin : gen_column
    logic [TW-1:0] column_q;  // of the window
    always_ff @(posedge clk_i) begin
      if (!rst_ni) column_q <= '0;
      else if (en && read_s1) column_q <= (column_q == TW'(KW - 1)) ? '0 : column_q + 1'b1;
    end
    assign word_s1 = AW'({basis_s1, column_q});
  end else begin : gen_window
    assign word_s1 = basis_s1;
  end
  always_ff @(posedge clk_i) if (en) column_s2_q <= column_s1;

  // ---- s3 + i*PER_ROW: operands of row i; then its products; then the sums so far ------------------------------------
  for (genvar i = 0; i < KH; i++) begin : gen_row
    logic [XW-1:0]        x;
    logic signed [XW:0]   x_q;
    logic [AW-1:0]        word;
    /* verilator lint_off UNUSEDSIGNAL */  // each row reads its part
    logic [KH*PER_ROW*CW-1:0] coefs;
    /* verilator lint_on UNUSEDSIGNAL */

    penni_delay #(
        .WIDTH(XW), .CYCLES(i * PER_ROW)
    ) u_x (
        .clk_i, .en_i(en), .in_i(column_s2_q[i*XW+:XW]), .out_o(x)
    );
    penni_delay #(
        .WIDTH(AW), .CYCLES(i * PER_ROW)
    ) u_word (
        .clk_i, .en_i(en), .in_i(word_s1), .out_o(word)
    );
    penni_rom #(
        .WIDTH(KH * PER_ROW * CW), .DEPTH(D << TW), .AW(AW), .FILE(COEFS_FILE)
    ) u_coefs (
        .clk_i, .re_i(en), .raddr_i(word), .rdata_o(coefs)
    );
    always_ff @(posedge clk_i) if (en) x_q <= {X_SIGNED && x[XW-1], x};

    for (genvar j = 0; j < PER_ROW; j++) begin : gen_multiplier
      logic signed [CW-1:0]   coef_q;
      /* verilator lint_off UNUSEDSIGNAL */  // sums are modulo 2^ACCW
      logic signed [XW+CW:0]  product_q;
      /* verilator lint_on UNUSEDSIGNAL */
      logic signed [ACCW-1:0] sum_before, sum_q;

      if (j > 0) begin : gen_left
        assign sum_before = gen_multiplier[j-1].sum_q;
      end else if (i > 0) begin : gen_above
        assign sum_before = gen_row[i-1].gen_multiplier[PER_ROW-1].sum_q;
      end else begin : gen_first
        assign sum_before = (PER_ROW == 1) ? '0 : HALF;
      end
      always_ff @(posedge clk_i) begin
        if (en) begin
          coef_q    <= coefs[(i*PER_ROW+j)*CW+:CW];
          product_q <= x_q * coef_q;
          sum_q     <= sum_before + ACCW'(product_q);
        end
      end
    end
  end

  // ---- acc: the columns of a window; it is complete, and z there, where done is -------------------------------------
  // read_q[n], take_q[n], last_q[n]: n + 2 stages behind the column's read.
  logic [LAST:0]          read_q, take_q, last_q;
  logic                   done_q, word_done_q;
  logic signed [ACCW-1:0] sum, acc_q;
  logic [ZW-1:0]          z;

  assign sum = gen_row[KH-1].gen_multiplier[PER_ROW-1].sum_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      read_q      <= '0;
      take_q      <= '0;
      last_q      <= '0;
      done_q      <= 1'b0;
      word_done_q <= 1'b0;
    end else if (en) begin
      read_q      <= {read_q[LAST-1:0], read_s1};
      take_q      <= {take_q[LAST-1:0], take_s1};
      last_q      <= {last_q[LAST-1:0], take_s1 && last_s1};
      done_q      <= take_q[LAST];
      word_done_q <= last_q[LAST];
    end
  end

  if (PER_ROW == 1) begin : gen_accumulate
    logic begun_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begun_q <= 1'b0;
      else if (en && read_q[LAST]) begun_q <= !take_q[LAST];
    end
    always_ff @(posedge clk_i) if (en && read_q[LAST]) acc_q <= sum + (begun_q ? acc_q : HALF);
  end else begin : gen_keep
    always_ff @(posedge clk_i) if (en && read_q[LAST] && take_q[LAST]) acc_q <= sum;
  end

  penni_shift_sat #(
      .IW(ACCW), .SHIFT(SHIFT), .OW(ZW), .O_SIGNED(Z_SIGNED)
  ) u_sat (
      .in_i(acc_q), .out_o(z)
  );

  // ---- Gather: Q neighbouring pixels in the output register itself --------------------------------------------------
  // A word has KW cycles or more, KW - 1 without a value of the next one: a reader that takes it at once stalls nothing.
  logic waits;  // out_valid_o in the next cycle
  assign waits = out_valid_o ? !out_ready_i : word_done_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      out_valid_o <= 1'b0;
      en          <= 1'b1;
    end else begin
      out_valid_o <= waits;
      en          <= !((!en || take_q[LAST]) && waits);
    end
  end
  if (Q == 1) begin : gen_single
    always_ff @(posedge clk_i) if (en && done_q) out_data_o <= z;
  end else begin : gen_shift
    always_ff @(posedge clk_i) if (en && done_q) out_data_o <= {z, out_data_o[Q*ZW-1:ZW]};
  end
endmodule
