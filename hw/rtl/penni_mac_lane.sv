/// One program lane: Q multiply-accumulators that share a coefficient; acc[q] += coef * z[q], accumulated across rows.
///
/// valid_i comes with {z address, coefficient, last}; the z word arrives one cycle later from the lane's own copy of
/// the z memory. Five cycles after valid_i the Q sums are in acc; where `last` was set they are written as one word to
/// the sum memory, in the order in which the rows end. A cycle without valid_i clears the sums. Each
/// multiply-accumulator is written to fit one DSP48E1: A, B, M and P registers, cleared by reset, never loaded.
module penni_mac_lane #(
    parameter int unsigned Q = 4,
    parameter int unsigned ZW = 8,
    parameter bit Z_SIGNED = 1'b1,
    parameter int unsigned CW = 8,
    parameter int unsigned ADDRW = 5,
    parameter int unsigned ACCW = 20,
    parameter int unsigned ROWAW = 4,
    parameter bit Z_BLOCK = 1'b1,
    parameter bit SUM_BLOCK = 1'b0,
    parameter int unsigned Z_LANES = 1
) (
    input  logic               clk_i,
    input  logic               rst_ni,
    // z memory, write side
    input  logic [Z_LANES-1:0] z_we_i,
    input  logic [ADDRW:0]     z_waddr_i,
    input  logic [Q*ZW-1:0]    z_wdata_i,
    // program, one entry per cycle
    input  logic               valid_i,
    input  logic               half_i,
    input  logic [ADDRW-1:0]   address_i,
    input  logic [CW-1:0]      coef_i,
    input  logic               last_i,
    // group done: the word written in this cycle, if any, is the group's last; the next group uses the other half
    input  logic               done_i,
    // sum memory, read side
    input  logic               sum_re_i,
    input  logic [ROWAW:0]     sum_raddr_i,
    output logic [Q*ACCW-1:0]  sum_rdata_o
);
  logic [Q*ZW-1:0]   z_word;
  logic [Q*ACCW-1:0] acc;

  penni_ram #(
      .WIDTH(Q * ZW / Z_LANES), .LANES(Z_LANES), .DEPTH(2 << ADDRW), .AW(ADDRW + 1), .BLOCK(Z_BLOCK)
  ) u_z (
      .clk_i, .we_i(z_we_i), .waddr_i(z_waddr_i), .wdata_i(z_wdata_i),
      .re_i(1'b1), .raddr_i({half_i, address_i}), .rdata_o(z_word)
  );

  // valid_q[n], last_q[n]: n + 1 cycles after valid_i. [0] z word, [1] operands, [2] product, [3] sum.
  logic [2:0] valid_q;
  logic [3:0] last_q;
  logic signed [CW-1:0] coef_s1_q, coef_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= '0;
      last_q  <= '0;
    end else begin
      valid_q <= {valid_q[1:0], valid_i};
      last_q  <= {last_q[2:0], valid_i && last_i};
    end
  end
  always_ff @(posedge clk_i) begin
    coef_s1_q <= coef_i;
    coef_q    <= coef_s1_q;
  end

  for (genvar q = 0; q < Q; q++) begin : gen_mac
    logic signed [ZW:0]      z_q;
    /* verilator lint_off UNUSEDSIGNAL */  // sums are modulo 2^ACCW
    logic signed [ZW+CW:0]   product_q;
    /* verilator lint_on UNUSEDSIGNAL */
    logic signed [ACCW-1:0]  acc_q;
    always_ff @(posedge clk_i) begin
      z_q       <= {Z_SIGNED && z_word[q*ZW+ZW-1], z_word[q*ZW+:ZW]};
      product_q <= z_q * coef_q;
      if (!valid_q[2]) acc_q <= '0;
      else acc_q <= acc_q + ACCW'(product_q);
    end
    assign acc[q*ACCW+:ACCW] = acc_q;
  end

  logic [ROWAW-1:0] row_q;
  logic             half_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      row_q  <= '0;
      half_q <= 1'b0;
    end else begin
      if (last_q[3]) row_q <= row_q + 1'b1;
      if (done_i) begin
        row_q  <= '0;
        half_q <= !half_q;
      end
    end
  end

  penni_ram #(
      .WIDTH(Q * ACCW), .DEPTH(2 << ROWAW), .AW(ROWAW + 1), .BLOCK(SUM_BLOCK)
  ) u_sums (
      .clk_i, .we_i(last_q[3]), .waddr_i({half_q, row_q}), .wdata_i(acc),
      .re_i(sum_re_i), .raddr_i(sum_raddr_i), .rdata_o(sum_rdata_o)
  );
endmodule
