/// y[c,p] = sat((acc[c,p]*M[c] + bias'[c]) >>> SHIFT), acc[c,p] = sum_t A[c,t] * x[c, p*STRIDE + t - PAD].
///
/// KH multipliers take one column of a window per cycle: multiplier i takes value i, i cycles after multiplier 0, so that
/// their sum is a chain of DSP post-adders. KW columns are accumulated, then requantized; nothing lies in a memory between.
///
/// In and out: one value per beat, NHWC. Cycles: 1 + KW*C per output pixel, at least one per value read. The output
/// follows KH + 8 cycles after its window's last column was read. in_ready_o, out_valid_o and out_data_o are registered;
/// everything behind the row buffer stalls while two values wait at the output.
///
/// Coefficient word, for each channel and column: KH values from the top down, the first lowest. Requant word, for each
/// channel: {bias with its rounding half, multiplier}, the multiplier lowest.
module penni_depthwise_conv #(
    parameter int unsigned H = 8,
    parameter int unsigned W = 8,
    parameter int unsigned C = 4,
    parameter int unsigned HO = 8,
    parameter int unsigned WO = 8,
    parameter int unsigned KH = 3,
    parameter int unsigned KW = 3,
    parameter int unsigned STRIDE_H = 1,
    parameter int unsigned STRIDE_W = 1,
    parameter int unsigned PAD_TOP = 1,
    parameter int unsigned PAD_LEFT = 1,
    parameter int unsigned ROWS = 4,
    parameter int unsigned XW = 8,
    parameter bit X_SIGNED = 1'b0,
    parameter int unsigned CW = 8,
    parameter int unsigned ACCW = 20,
    parameter int unsigned MW = 16,
    parameter int unsigned BW = 32,
    parameter int unsigned TOTALW = 40,
    parameter int unsigned SHIFT = 20,
    parameter int unsigned YW = 8,
    parameter bit Y_SIGNED = 1'b0,
    parameter bit PAD_ZERO = 1'b1,
    parameter int unsigned ROW_STYLE = 1,
    parameter bit COEF_BLOCK = 1'b1,
    parameter bit REQUANT_BLOCK = 1'b0,
    parameter PAD_FILE = "",
    parameter COEFS_FILE = "",
    parameter REQUANT_FILE = ""
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
  localparam int unsigned CAW = (C > 1) ? $clog2(C) : 1;
  localparam int unsigned AAW = (C * KW > 1) ? $clog2(C * KW) : 1;

  logic en;  // a register, of the FIFO at the end

  // ---- Columns, one pixel after the other ---------------------------------------------------------------------------
  logic            read_s1, take_s1, unused_last, unused_basis;
  logic [KH*XW-1:0] column_s1;

  penni_columns #(
      .H(H), .W(W), .C(C), .HO(HO), .WO(WO), .KH(KH), .KW(KW), .STRIDE_H(STRIDE_H), .STRIDE_W(STRIDE_W),
      .PAD_TOP(PAD_TOP), .PAD_LEFT(PAD_LEFT), .D(1), .Q(1), .ROWS(ROWS), .XW(XW),
      .PAD_ZERO(PAD_ZERO), .ROW_STYLE(ROW_STYLE), .PAD_FILE(PAD_FILE)
  ) u_columns (
      .clk_i, .rst_ni, .in_valid_i, .in_ready_o, .in_data_i,
      .en_i(en), .read_o(read_s1), .column_o(column_s1), .basis_o(unused_basis), .take_o(take_s1), .last_o(unused_last)
  );

  // ---- s2: values and their coefficients ----------------------------------------------------------------------------
  logic [AAW-1:0]  word_q;
  logic [KH*XW-1:0] column_s2_q;
  logic [KH*CW-1:0] coefs_s2;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) word_q <= '0;
    else if (en && read_s1) word_q <= (word_q == AAW'(C * KW - 1)) ? '0 : word_q + 1'b1;
  end
  always_ff @(posedge clk_i) if (en) column_s2_q <= column_s1;

  penni_rom #(
      .WIDTH(KH * CW), .DEPTH(C * KW), .AW(AAW), .BLOCK(COEF_BLOCK), .FILE(COEFS_FILE)
  ) u_coefs (
      .clk_i, .re_i(en), .raddr_i(word_q), .rdata_o(coefs_s2)
  );

  // ---- s3 + i: operands of multiplier i; s4 + i: its product; s5 + i: the sum of the products so far ----------------
  for (genvar i = 0; i < KH; i++) begin : gen_multiplier
    logic [XW-1:0]          x;
    logic [CW-1:0]          coef;
    logic signed [XW:0]     x_q;
    logic signed [CW-1:0]   coef_q;
    /* verilator lint_off UNUSEDSIGNAL */  // sums are modulo 2^ACCW
    logic signed [XW+CW:0]  product_q;
    /* verilator lint_on UNUSEDSIGNAL */
    logic signed [ACCW-1:0] sum_q;

    penni_delay #(
        .WIDTH(XW), .CYCLES(i)
    ) u_x (
        .clk_i, .en_i(en), .in_i(column_s2_q[i*XW+:XW]), .out_o(x)
    );
    penni_delay #(
        .WIDTH(CW), .CYCLES(i)
    ) u_coef (
        .clk_i, .en_i(en), .in_i(coefs_s2[i*CW+:CW]), .out_o(coef)
    );

    always_ff @(posedge clk_i) begin
      if (en) begin
        x_q       <= {X_SIGNED && x[XW-1], x};
        coef_q    <= coef;
        product_q <= x_q * coef_q;
      end
    end
    if (i == 0) begin : gen_first
      always_ff @(posedge clk_i) if (en) sum_q <= ACCW'(product_q);
    end else begin : gen_next
      always_ff @(posedge clk_i) if (en) sum_q <= gen_multiplier[i-1].sum_q + ACCW'(product_q);
    end
  end

  // ---- acc: the columns of a window; it is complete where done is ---------------------------------------------------
  // valid_q[n], take_q[n]: n + 2 stages behind the column's read; the column's sum is there at [KH + 2].
  logic [KH+2:0]          valid_q, take_q;
  logic                   column_done, window_done, begun_q, done_q;
  logic signed [ACCW-1:0] column_sum, acc_q;

  assign column_done = valid_q[KH+2];
  assign window_done = take_q[KH+2];
  assign column_sum  = gen_multiplier[KH-1].sum_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= '0;
      take_q  <= '0;
      begun_q <= 1'b0;
      done_q  <= 1'b0;
    end else if (en) begin
      valid_q <= {valid_q[KH+1:0], read_s1};
      take_q  <= {take_q[KH+1:0], take_s1};
      done_q  <= window_done;
      if (column_done) begun_q <= !window_done;
    end
  end
  always_ff @(posedge clk_i) begin
    if (en && column_done) acc_q <= column_sum + (begun_q ? acc_q : '0);
  end

  // ---- Requantize: constants arrive with acc, then product, total, out ----------------------------------------------
  logic [CAW-1:0]     channel_q;
  logic [MW+BW-1:0]   constants;
  logic [1:0]         valid_out_q;
  logic signed [MW:0] multiplier;
  /* verilator lint_off UNUSEDSIGNAL */  // the total is modulo 2^TOTALW
  logic signed [ACCW+MW:0]  scaled_q;
  /* verilator lint_on UNUSEDSIGNAL */
  logic signed [BW-1:0]     bias_q;
  logic signed [TOTALW-1:0] total_q;
  logic [YW-1:0]            y;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) channel_q <= '0;
    else if (en && window_done) channel_q <= (channel_q == CAW'(C - 1)) ? '0 : channel_q + 1'b1;
  end

  penni_rom #(
      .WIDTH(MW + BW), .DEPTH(C), .AW(CAW), .BLOCK(REQUANT_BLOCK), .FILE(REQUANT_FILE)
  ) u_constants (
      .clk_i, .re_i(en), .raddr_i(channel_q), .rdata_o(constants)
  );
  assign multiplier = {1'b0, constants[MW-1:0]};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) valid_out_q <= '0;
    else if (en) valid_out_q <= {valid_out_q[0], done_q};
  end
  always_ff @(posedge clk_i) begin
    if (en) begin
      scaled_q <= acc_q * multiplier;
      bias_q   <= constants[MW+:BW];
      total_q  <= TOTALW'(scaled_q) + TOTALW'(bias_q);
    end
  end

  penni_shift_sat #(
      .IW(TOTALW), .SHIFT(SHIFT), .OW(YW), .O_SIGNED(Y_SIGNED)
  ) u_sat (
      .in_i(total_q), .out_o(y)
  );
  penni_fifo #(
      .WIDTH(YW), .DEPTH(2)
  ) u_results (
      .clk_i, .rst_ni, .in_valid_i(valid_out_q[1]), .in_ready_o(en), .in_data_i(y),
      .out_valid_o, .out_ready_i, .out_data_o
  );
endmodule
