/// y = sat((x*M[c] + skip*SKIP_K + bias'[c]) >>> SHIFT), c the channel: BatchNorm, products with and sums of constants,
/// sums of two maps.
///
/// One beat per cycle; latency 5. With SKIP a beat is taken from both inputs in the same cycle, so that the ready of
/// each depends on the valid of the other one. out_valid_o and out_data_o are registered; everything stalls while two
/// values wait at the output.
///
/// Requant word, for each channel: {bias with its rounding half, multiplier}, the multiplier (signed) lowest.
module penni_affine #(
    /* verilator lint_off UNUSEDPARAM */
    parameter int unsigned PIXELS = 4,  // per frame: for the C++ loops, not used by the hardware
    /* verilator lint_on UNUSEDPARAM */
    parameter int unsigned C = 4,
    parameter int unsigned XW = 8,
    parameter bit X_SIGNED = 1'b0,
    parameter int unsigned MW = 17,
    parameter int unsigned BW = 32,
    parameter int unsigned TOTALW = 40,
    parameter int unsigned SHIFT = 20,
    parameter int unsigned YW = 8,
    parameter bit Y_SIGNED = 1'b0,
    parameter bit SKIP = 1'b0,
    parameter int unsigned SKIPW = 8,
    parameter bit SKIP_SIGNED = 1'b0,
    parameter int unsigned SKIP_K = 0,
    parameter bit REQUANT_BLOCK = 1'b0,
    parameter REQUANT_FILE = ""
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             in_valid_i,
    output logic             in_ready_o,
    input  logic [XW-1:0]    in_data_i,
    input  logic             skip_valid_i,
    output logic             skip_ready_o,
    input  logic [SKIPW-1:0] skip_data_i,
    output logic             out_valid_o,
    input  logic             out_ready_i,
    output logic [YW-1:0]    out_data_o
);
  localparam int unsigned CAW = (C > 1) ? $clog2(C) : 1;

  logic en, take;  // en: a register, of the FIFO at the end
  assign take         = in_valid_i && (!SKIP || skip_valid_i);
  assign in_ready_o   = en && (!SKIP || skip_valid_i);
  assign skip_ready_o = SKIP && en && in_valid_i;

  // ---- s1: the value and its channel's constants --------------------------------------------------------------------
  logic [3:0]           valid_q;  // of s1 to s4
  logic [CAW-1:0]       channel_q;
  logic signed [XW:0]   x_s1_q, x_s2_q;
  logic [MW+BW-1:0]     constants_s1;
  logic signed [MW-1:0] multiplier_s2_q;
  logic signed [BW-1:0] bias_s2_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q   <= '0;
      channel_q <= '0;
    end else if (en) begin
      valid_q <= {valid_q[2:0], take};
      if (take) channel_q <= (channel_q == CAW'(C - 1)) ? '0 : channel_q + 1'b1;
    end
  end

  penni_rom #(
      .WIDTH(MW + BW), .DEPTH(C), .AW(CAW), .BLOCK(REQUANT_BLOCK), .FILE(REQUANT_FILE)
  ) u_constants (
      .clk_i, .re_i(en), .raddr_i(channel_q), .rdata_o(constants_s1)
  );

  // ---- s2: operands; s3: products; s4: total; then the output -------------------------------------------------------
  /* verilator lint_off UNUSEDSIGNAL */  // the total is modulo 2^TOTALW
  logic signed [XW+MW:0]    product_s3_q;
  /* verilator lint_on UNUSEDSIGNAL */
  logic signed [TOTALW-1:0] addend_s3, total_s4_q;
  logic [YW-1:0]            y;

  always_ff @(posedge clk_i) begin
    if (en) begin
      x_s1_q          <= {X_SIGNED && in_data_i[XW-1], in_data_i};
      x_s2_q          <= x_s1_q;
      multiplier_s2_q <= constants_s1[MW-1:0];
      bias_s2_q       <= constants_s1[MW+:BW];
      product_s3_q    <= x_s2_q * multiplier_s2_q;
      total_s4_q      <= TOTALW'(product_s3_q) + addend_s3;
    end
  end

  penni_addend #(
      .SKIP(SKIP), .SKIPW(SKIPW), .SKIP_SIGNED(SKIP_SIGNED), .SKIP_K(SKIP_K), .BW(BW), .TOTALW(TOTALW)
  ) u_addend (
      .clk_i, .en_i(en), .skip_data_i, .bias_i(bias_s2_q), .addend_o(addend_s3)
  );
  if (!SKIP) begin : gen_no_skip
    logic unused;
    assign unused = skip_valid_i;
  end

  penni_shift_sat #(
      .IW(TOTALW), .SHIFT(SHIFT), .OW(YW), .O_SIGNED(Y_SIGNED)
  ) u_sat (
      .in_i(total_s4_q), .out_o(y)
  );
  penni_fifo #(
      .WIDTH(YW), .DEPTH(2)
  ) u_results (
      .clk_i, .rst_ni, .in_valid_i(valid_q[3]), .in_ready_o(en), .in_data_i(y),
      .out_valid_o, .out_ready_i, .out_data_o
  );
endmodule
