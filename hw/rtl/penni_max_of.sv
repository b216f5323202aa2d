/// The maxima of the last 1 to N+1 values: after_o[i] = the larger of x_i and before_i[i-1]; after_o[0] = x_i.
///
/// before_i[i] is the maximum of the last i+1 values before x_i, of fewer at the start of a row or column, and does not
/// count before the first one (known_i). So each result is one comparison away from memory. Combinational.
module penni_max_of #(
    parameter int unsigned N = 1,
    parameter int unsigned XW = 8,
    parameter bit X_SIGNED = 1'b0
) (
    input  logic [XW-1:0]       x_i,
    input  logic [N*XW-1:0]     before_i,
    input  logic                known_i,
    output logic [(N+1)*XW-1:0] after_o
);
  // Offset binary: with the sign bit inverted, signed numbers compare as unsigned ones.
  localparam logic [XW-1:0] SIGN = {X_SIGNED, {(XW - 1) {1'b0}}};

  assign after_o[XW-1:0] = x_i;
  for (genvar i = 0; i < N; i++) begin : gen_maximum
    logic [XW-1:0] kept;
    assign kept = before_i[i*XW+:XW];
    assign after_o[(i+1)*XW+:XW] = (known_i && (kept ^ SIGN) > (x_i ^ SIGN)) ? kept : x_i;
  end
endmodule
