/// out = min(max((in + 2^(SHIFT-1)) >> SHIFT, lo), hi): round half up, then saturate. Combinational.
///
/// The half is added as a carry, (in >> SHIFT) + in[SHIFT-1], which is equal. Whether the sum is out of range is asked of
/// what it is added to, and of its carry: one below the lowest value, the sum is the lowest either way.
module penni_round_sat #(
    parameter int unsigned IW = 16,
    parameter bit I_SIGNED = 1'b1,
    parameter int unsigned SHIFT = 8,
    parameter int unsigned OW = 8,
    parameter bit O_SIGNED = 1'b1
) (
    input  logic [IW-1:0] in_i,
    output logic [OW-1:0] out_o
);
  // With one bit for the sign or a zero; at least as wide as the output's range needs.
  localparam int unsigned SW = (IW > SHIFT) ? IW - SHIFT : 1;
  localparam int unsigned VW = ((SW > OW) ? SW : OW) + 1;
  localparam int unsigned TOP = O_SIGNED ? OW - 1 : OW;  // from here on all bits equal the sign (unsigned: 0)

  logic          sign, half;
  logic [VW-1:0] value;  // without the half
  logic [TOP:0]  rounded;
  logic          too_low, too_high;

  assign sign = I_SIGNED && in_i[IW-1];
  if (SHIFT == 0) begin : gen_exact
    assign half = 1'b0;
  end else if (SHIFT <= IW) begin : gen_half
    assign half = in_i[SHIFT-1];
  end else begin : gen_far
    assign half = sign;
  end
  if (IW > SHIFT) begin : gen_kept
    assign value = {{(VW - SW) {sign}}, in_i[IW-1:SHIFT]};
  end else begin : gen_gone
    assign value = {VW{sign}};
  end
  if (SHIFT > 1) begin : gen_dropped
    localparam int unsigned DW = (SHIFT - 1 < IW) ? SHIFT - 1 : IW;
    logic unused;
    assign unused = ^in_i[DW-1:0];
  end

  assign rounded  = value[TOP:0] + (TOP + 1)'(half);
  assign too_low  = sign && !(O_SIGNED && (&value[VW-1:TOP]));
  assign too_high = !sign && ((|value[VW-1:TOP]) || rounded[TOP]);
  always_comb begin
    out_o = rounded[OW-1:0];
    if (too_low) out_o = O_SIGNED ? OW'(1) << (OW - 1) : '0;
    if (too_high) out_o = {OW{1'b1}} >> 32'(O_SIGNED);
  end
endmodule
