/// Maximum of x and of those among N other values whose known_i bit is set. Combinational.
module penni_max_of #(
    parameter int unsigned N = 1,
    parameter int unsigned XW = 8,
    parameter bit X_SIGNED = 1'b0
) (
    input  logic [XW-1:0]   x_i,
    input  logic [N*XW-1:0] others_i,
    input  logic [N-1:0]    known_i,
    output logic [XW-1:0]   max_o
);
  // Offset binary: with the sign bit inverted, signed numbers compare as unsigned ones.
  localparam logic [XW-1:0] SIGN = {X_SIGNED, {(XW - 1) {1'b0}}};
  logic [(N+1)*XW-1:0] best;  // the largest of x and the first i others

  assign best[XW-1:0] = x_i ^ SIGN;
  for (genvar i = 0; i < N; i++) begin : gen_other
    logic [XW-1:0] other, so_far;
    assign so_far = best[i*XW+:XW];
    assign other  = others_i[i*XW+:XW] ^ SIGN;
    assign best[(i+1)*XW+:XW] = (known_i[i] && other > so_far) ? other : so_far;
  end
  assign max_o = best[N*XW+:XW] ^ SIGN;
endmodule
