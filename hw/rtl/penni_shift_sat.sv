/// out = min(max(in >>> SHIFT, lo), hi) for signed in: the rest of rounding after the half has been added.
/// Combinational.
module penni_shift_sat #(
    parameter int unsigned IW = 40,
    parameter int unsigned SHIFT = 20,
    parameter int unsigned OW = 8,
    parameter bit O_SIGNED = 1'b0
) (
    input  logic [IW-1:0] in_i,
    output logic [OW-1:0] out_o
);
  // The kept bits, sign-extended so that the output and its sign fit.
  localparam int unsigned KW = (IW > SHIFT) ? IW - SHIFT : 1;
  localparam int unsigned VW = (KW > OW + 1) ? KW : OW + 1;
  logic [VW-1:0] value;

  if (IW > SHIFT) begin : gen_kept
    assign value = VW'($signed(in_i[IW-1:SHIFT]));
  end else begin : gen_gone
    assign value = {VW{in_i[IW-1]}};
  end
  if (SHIFT > 0) begin : gen_dropped
    localparam int unsigned DW = (SHIFT < IW) ? SHIFT : IW;
    logic unused;
    assign unused = ^in_i[DW-1:0];
  end

  localparam int unsigned TOP = O_SIGNED ? OW - 1 : OW;  // from here on all bits equal the sign (unsigned: 0)
  logic sign, fits;
  assign sign = value[VW-1];
  assign fits = value[VW-1:TOP] == {(VW - TOP) {O_SIGNED && sign}};
  always_comb begin
    if (fits) out_o = value[OW-1:0];
    else if (O_SIGNED) out_o = {sign, {(OW - 1) {!sign}}};
    else out_o = {OW{!sign}};
  end
endmodule
