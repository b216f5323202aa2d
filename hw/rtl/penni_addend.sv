/// What a requantizer adds to its product: bias_i, and where SKIP, skip_data_i * SKIP_K of a skip connection.
///
/// Three registers, all enabled by en_i: a skip value passes through all of them, a bias through the last one only.
module penni_addend #(
    parameter bit SKIP = 1'b0,
    parameter int unsigned SKIPW = 8,
    parameter bit SKIP_SIGNED = 1'b0,
    parameter int unsigned SKIP_K = 0,
    parameter int unsigned BW = 32,
    parameter int unsigned TOTALW = 40
) (
    input  logic                     clk_i,
    input  logic                     en_i,
    input  logic [SKIPW-1:0]         skip_data_i,
    input  logic signed [BW-1:0]     bias_i,
    output logic signed [TOTALW-1:0] addend_o
);
  if (SKIP) begin : gen_skip
    localparam int unsigned FW = $clog2(SKIP_K + 1) + 1;
    logic signed [SKIPW:0]    skip_q;
    /* verilator lint_off UNUSEDSIGNAL */  // sums are modulo 2^TOTALW
    logic signed [SKIPW+FW:0] scaled_q;
    /* verilator lint_on UNUSEDSIGNAL */
    always_ff @(posedge clk_i) begin
      if (en_i) begin
        skip_q   <= {SKIP_SIGNED && skip_data_i[SKIPW-1], skip_data_i};
        scaled_q <= skip_q * $signed(FW'(SKIP_K));
        addend_o <= TOTALW'(scaled_q) + TOTALW'(bias_i);
      end
    end
  end else begin : gen_no_skip
    always_ff @(posedge clk_i) if (en_i) addend_o <= TOTALW'(bias_i);
    logic unused;
    assign unused = ^skip_data_i;
  end
endmodule
