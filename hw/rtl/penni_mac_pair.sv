/// Two pixels in one DSP48: acc += (z1 * 2^SHIFT + z0) * coef, with its pre-adder, multiplier and accumulator.
///
/// z_i: z1 above z0. It comes together with coef_i; the product is there 3 cycles later, when accumulate_i says whether
/// it is added (else the sums are cleared), and the sum one cycle after that. sums_o: EXTRA bits of the sum of z1,
/// above the sum of both modulo 2^(SHIFT + ACCW). penni_row_sums separates them. Every z1 * 2^SHIFT + z0
/// fits the PREADDER bits of the pre-adder: 25 of a DSP48E1, 27 of a DSP48E2.
module penni_mac_pair #(
    parameter int unsigned ZW = 8,
    parameter bit Z_SIGNED = 1'b1,
    parameter int unsigned CW = 8,
    parameter int unsigned PREADDER = 25,
    parameter int unsigned SHIFT = 16,
    parameter int unsigned EXTRA = 0,
    parameter int unsigned ACCW = 20
) (
    input  logic                        clk_i,
    input  logic                        accumulate_i,
    input  logic [2*ZW-1:0]             z_i,
    input  logic signed [CW-1:0]        coef_i,
    output logic [EXTRA+SHIFT+ACCW-1:0] sums_o
);
  localparam int unsigned ADDW = PREADDER;
  localparam int unsigned SUMW = SHIFT + ACCW;

  logic signed [ADDW-1:0]      high_q, low_q, both_q;
  logic signed [CW-1:0]        coef_q, coef_s2_q;
  /* verilator lint_off UNUSEDSIGNAL */  // sums are modulo 2^SUMW
  logic signed [ADDW+CW-1:0]   product_q;
  /* verilator lint_on UNUSEDSIGNAL */
  logic signed [SUMW-1:0]      acc_q;
  always_ff @(posedge clk_i) begin
    high_q    <= ADDW'({{ADDW{Z_SIGNED && z_i[2*ZW-1]}}, z_i[ZW+:ZW], SHIFT'(0)});
    low_q     <= ADDW'({{ADDW{Z_SIGNED && z_i[ZW-1]}}, z_i[0+:ZW]});
    coef_q    <= coef_i;
    both_q    <= high_q + low_q;
    coef_s2_q <= coef_q;
    product_q <= both_q * coef_s2_q;
    if (!accumulate_i) acc_q <= '0;
    else acc_q <= acc_q + SUMW'(product_q);
  end
  assign sums_o[SUMW-1:0] = acc_q;

  if (EXTRA > 0) begin : gen_extra
    logic [EXTRA-1:0] z_q, z_s2_q, extra_q, extra_acc_q;
    always_ff @(posedge clk_i) begin
      z_q     <= EXTRA'({{EXTRA{Z_SIGNED && z_i[2*ZW-1]}}, z_i[ZW+:ZW]});
      z_s2_q  <= z_q;
      extra_q <= z_s2_q * EXTRA'(coef_s2_q);
      if (!accumulate_i) extra_acc_q <= '0;
      else extra_acc_q <= extra_acc_q + extra_q;
    end
    assign sums_o[SUMW+:EXTRA] = extra_acc_q;
  end
endmodule
