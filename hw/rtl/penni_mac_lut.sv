/// acc += z * coef in LUTs, for coefficients of up to four bits.
///
/// The coefficient is split in digits -2, -1, 0, 1, 2, one for each two bits. A digit's multiple of z needs five bits
/// for a bit of it, so that an adder takes it up with no more LUTs than it has anyway: those of the upper digit are
/// added to those of the lower one, these to the sum. The carries into the adders negate.
///
/// z_i and coef_i come together, the product is there 2 cycles later, when accumulate_i says whether it is added (else
/// the sum is cleared), and the sum one cycle after that. The sum is modulo 2^ACCW.
module penni_mac_lut #(
    parameter int unsigned ZW = 8,
    parameter bit Z_SIGNED = 1'b1,
    parameter int unsigned CW = 4,
    parameter int unsigned ACCW = 20
) (
    input  logic                   clk_i,
    input  logic                   accumulate_i,
    input  logic [ZW-1:0]          z_i,
    input  logic signed [CW-1:0]   coef_i,
    output logic signed [ACCW-1:0] acc_o
);
  localparam int unsigned MULW = ZW + 2;  // of z, twice it, and their complements

  logic signed [3:0]      coef;
  logic signed [MULW-1:0] z;
  assign coef = 4'(coef_i);
  assign z    = MULW'($signed({Z_SIGNED && z_i[ZW-1], z_i}));

  // The multiple of z, or its complement (the multiple minus one) where the digit's highest bit is set.
  function automatic logic signed [MULW-1:0] multiple(input logic signed [MULW-1:0] value, input logic [2:0] digit);
    multiple = ((digit[1] ^ digit[0]) ? value : (digit[2] ^ digit[1]) ? value <<< 1 : '0) ^ {MULW{digit[2]}};
  endfunction

  logic signed [ACCW-1:0] operand;  // to be added, and a one where carry
  logic                   carry;
  if (CW <= 2) begin : gen_one_digit
    logic signed [MULW-1:0] z_q, z_s2_q;
    logic [2:0]             digit_q, digit_s2_q;
    always_ff @(posedge clk_i) begin
      z_q        <= z;
      z_s2_q     <= z_q;
      digit_q    <= {coef[1:0], 1'b0};
      digit_s2_q <= digit_q;
    end
    assign operand = ACCW'(multiple(z_s2_q, digit_s2_q));
    assign carry   = digit_s2_q[2];
    logic unused;
    assign unused = ^coef[3:2];
  end else begin : gen_two_digits
    logic signed [MULW-1:0] z_q, lower_q;
    logic [2:0]             digit_q;
    logic                   carry_q, carry_s2_q;
    logic [1:0]             lowest_q;
    logic signed [MULW:0]   upper, upper_q;  // four times this is the rest
    always_ff @(posedge clk_i) begin
      z_q        <= z;
      digit_q    <= coef[3:1];
      lower_q    <= multiple(z, {coef[1:0], 1'b0});
      carry_q    <= coef[1];
      lowest_q   <= lower_q[1:0];
      upper_q    <= upper;
      carry_s2_q <= carry_q;
    end
    assign upper   = (MULW + 1)'(lower_q >>> 2) + (MULW + 1)'(multiple(z_q, digit_q)) + (MULW + 1)'({1'b0, digit_q[2]});
    assign operand = ACCW'($signed({upper_q, lowest_q}));
    assign carry   = carry_s2_q;
  end

  always_ff @(posedge clk_i) begin
    if (!accumulate_i) acc_o <= '0;
    else acc_o <= acc_o + operand + ACCW'({1'b0, carry});
  end
endmodule
