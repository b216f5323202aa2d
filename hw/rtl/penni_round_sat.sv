/// out = min(max((in + 2^(SHIFT-1)) >> SHIFT, lo), hi): round half up, then saturate. Combinational.
///
/// The half is added as a carry, (in >> SHIFT) + in[SHIFT-1], which is equal.
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
  // One bit for the sign or a zero and one for the carry; at least as wide as the output's range needs.
  localparam int unsigned SW = (IW > SHIFT) ? IW - SHIFT : 1;
  localparam int unsigned VW = ((SW > OW) ? SW : OW) + 2;

  logic          sign, half;
  logic [VW-1:0] value;
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
    assign value = {{(VW - SW) {sign}}, in_i[IW-1:SHIFT]} + VW'(half);
  end else begin : gen_gone
    assign value = {VW{sign}} + VW'(half);
  end
  if (SHIFT > 1) begin : gen_dropped
    localparam int unsigned DW = (SHIFT - 1 < IW) ? SHIFT - 1 : IW;
    logic unused;
    assign unused = ^in_i[DW-1:0];
  end

  if (O_SIGNED) begin : gen_signed
    assign too_low  = value[VW-1] && !(&value[VW-2:OW-1]);
    assign too_high = !value[VW-1] && (|value[VW-2:OW-1]);
    always_comb begin
      out_o = value[OW-1:0];
      if (too_low) out_o = OW'(1) << (OW - 1);
      if (too_high) out_o = {OW{1'b1}} >> 1;
    end
  end else begin : gen_unsigned
    assign too_low  = value[VW-1];
    assign too_high = |value[VW-2:OW];
    always_comb begin
      out_o = value[OW-1:0];
      if (too_high) out_o = '1;
      if (too_low) out_o = '0;
    end
  end
endmodule
