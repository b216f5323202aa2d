/// acc += z * coef, as one DSP48E1: A, B, M and P registers, cleared by reset, never loaded.
///
/// z_i and coef_i come together, the product is there 2 cycles later, when accumulate_i says whether it is added (else
/// the sum is cleared), and the sum one cycle after that. The sum is modulo 2^ACCW.
module penni_mac #(
    parameter int unsigned ZW = 8,
    parameter bit Z_SIGNED = 1'b1,
    parameter int unsigned CW = 8,
    parameter int unsigned ACCW = 20
) (
    input  logic                   clk_i,
    input  logic                   accumulate_i,
    input  logic [ZW-1:0]          z_i,
    input  logic signed [CW-1:0]   coef_i,
    output logic signed [ACCW-1:0] acc_o
);
  logic signed [ZW:0]    z_q;
  logic signed [CW-1:0]  coef_q;
  /* verilator lint_off UNUSEDSIGNAL */  // sums are modulo 2^ACCW
  logic signed [ZW+CW:0] product_q;
  /* verilator lint_on UNUSEDSIGNAL */
  always_ff @(posedge clk_i) begin
    z_q       <= {Z_SIGNED && z_i[ZW-1], z_i};
    coef_q    <= coef_i;
    product_q <= z_q * coef_q;
    if (!accumulate_i) acc_o <= '0;
    else acc_o <= acc_o + ACCW'(product_q);
  end
endmodule
