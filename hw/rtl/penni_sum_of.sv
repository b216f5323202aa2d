/// Sum of x and of those among N other values whose known_i bit is set, in YW bits, which hold it. Combinational.
module penni_sum_of #(
    parameter int unsigned N = 1,
    parameter int unsigned XW = 8,
    parameter bit X_SIGNED = 1'b0,
    parameter int unsigned YW = 9
) (
    input  logic [XW-1:0]   x_i,
    input  logic [N*XW-1:0] others_i,
    input  logic [N-1:0]    known_i,
    output logic [YW-1:0]   sum_o
);
  logic [(N+1)*YW-1:0] sums;  // of x and the first i others

  assign sums[YW-1:0] = YW'($signed({X_SIGNED && x_i[XW-1], x_i}));
  for (genvar i = 0; i < N; i++) begin : gen_other
    logic [XW-1:0] other;
    assign other = others_i[i*XW+:XW] & {XW{known_i[i]}};
    assign sums[(i+1)*YW+:YW] = sums[i*YW+:YW] + YW'($signed({X_SIGNED && other[XW-1], other}));
  end
  assign sum_o = sums[N*YW+:YW];
endmodule
