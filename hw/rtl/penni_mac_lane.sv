/// One program lane: Q multiply-accumulators that share a coefficient; acc[q] += coef * z[q], accumulated across rows.
///
/// valid_i comes with an entry {coefficient, where, last}. STEPW 0: `where` is the z address. Else it is the step to it
/// from the address before, and the address is there two cycles later (FETCH = 2). Without ROW_BIT the largest step goes
/// to address 0 and begins a row. The z word arrives one cycle after its address, the product 2 cycles later (PRODUCT;
/// 3 with pairs), the sums with it one cycle after that. At a row's end the sums are written as one word to the sum
/// memory, in the order in which the rows end. A cycle without valid_i clears the sums.
///
/// A multiplier gives the sum of one pixel, or with PAIR_SHIFT those of two (see penni_mac_pair); UNITS of UNITW bits.
module penni_mac_lane #(
    parameter int unsigned Q = 4,
    parameter int unsigned ZW = 8,
    parameter bit Z_SIGNED = 1'b1,
    parameter int unsigned CW = 8,
    parameter int unsigned ADDRW = 5,
    parameter int unsigned STEPW = 0,
    parameter bit ROW_BIT = 1'b1,
    parameter int unsigned PREADDER = 25,
    parameter int unsigned PAIR_SHIFT = 0,
    parameter int unsigned PAIR_EXTRA = 0,
    parameter bit LUT_MULTIPLY = 1'b0,
    parameter int unsigned ACCW = 20,
    parameter int unsigned ROWS = 16,
    parameter int unsigned ROWAW = 4,
    parameter bit SUM_HALVES = 1'b1,
    parameter bit SUM_BLOCK = 1'b0,
    parameter int unsigned WHEREW = (STEPW == 0) ? ADDRW : STEPW,
    parameter int unsigned UNITS = (PAIR_SHIFT == 0) ? Q : Q / 2,
    parameter int unsigned UNITW = PAIR_EXTRA + PAIR_SHIFT + ACCW
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    // program, one entry per cycle
    input  logic                   valid_i,
    input  logic [CW-1:0]          coef_i,
    input  logic [WHEREW-1:0]      where_i,
    input  logic                   last_i,
    // z memory
    output logic [ADDRW-1:0]       z_address_o,
    input  logic [Q*ZW-1:0]        z_word_i,
    // group done: the word written in this cycle, if any, is the group's last; the next group uses the other half
    input  logic                   done_i,
    // sum memory, read side
    input  logic                   sum_rhalf_i,
    input  logic [ROWAW-1:0]       sum_raddr_i,
    output logic [UNITS*UNITW-1:0] sum_rdata_o
);
  localparam int unsigned PRODUCT = (PAIR_SHIFT == 0) ? 2 : 3;

  // ---- Where: entry -> z address ------------------------------------------------------------------------------------
  logic                 fetch_valid, fetch_begins, fetch_last;  // with the address
  logic signed [CW-1:0] fetch_coef;
  if (STEPW == 0) begin : gen_address
    assign z_address_o  = where_i;
    assign fetch_valid  = valid_i;
    assign fetch_begins = 1'b0;
    assign fetch_last   = last_i;
    assign fetch_coef   = coef_i;
  end else begin : gen_step
    // The entry passes through a register: that of a block RAM's output.
    logic [STEPW-1:0]     step_q;
    logic                 step_valid_q, step_last_q, step_longest_q;
    logic signed [CW-1:0] step_coef_q;
    logic [ADDRW-1:0]     address_q;
    logic                 valid_q, begins_q, last_q, begins;
    logic signed [CW-1:0] coef_q;
    assign begins = ROW_BIT ? last_q : step_longest_q;  // the row of this entry
    always_ff @(posedge clk_i) begin
      step_q         <= where_i;
      step_valid_q   <= rst_ni && valid_i;
      step_last_q    <= last_i;
      step_longest_q <= where_i == '1;
      step_coef_q    <= coef_i;
    end
    always_ff @(posedge clk_i) begin
      valid_q  <= rst_ni && step_valid_q;
      begins_q <= !ROW_BIT && step_valid_q && begins;
      last_q   <= step_valid_q && step_last_q;
      coef_q   <= step_coef_q;
      if (!step_valid_q) address_q <= '0;
      else if (ROW_BIT) address_q <= (begins ? '0 : address_q) + ADDRW'(step_q);
      else address_q <= begins ? '0 : address_q + ADDRW'(step_q);
    end
    assign z_address_o  = address_q;
    assign fetch_valid  = valid_q;
    assign fetch_begins = begins_q;
    assign fetch_last   = last_q;
    assign fetch_coef   = coef_q;
  end

  // ---- Multiply-accumulate ------------------------------------------------------------------------------------------
  // valid_q[n], begins_q[n], last_q[n]: n + 1 cycles after the address. [0] z word, [PRODUCT] product, then the sum.
  logic [UNITS*UNITW-1:0] acc;
  logic [PRODUCT:0]       valid_q, begins_q;
  logic [PRODUCT+1:0]     last_q;
  logic signed [CW-1:0]   coef_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q  <= '0;
      begins_q <= '0;
      last_q   <= '0;
    end else begin
      valid_q  <= {valid_q[PRODUCT-1:0], fetch_valid};
      begins_q <= {begins_q[PRODUCT-1:0], fetch_begins};
      last_q   <= {last_q[PRODUCT:0], fetch_valid && fetch_last};
    end
  end
  always_ff @(posedge clk_i) coef_q <= fetch_coef;

  for (genvar u = 0; u < UNITS; u++) begin : gen_mac
    if (PAIR_SHIFT != 0) begin : gen_pair
      penni_mac_pair #(
          .ZW(ZW), .Z_SIGNED(Z_SIGNED), .CW(CW), .PREADDER(PREADDER), .SHIFT(PAIR_SHIFT), .EXTRA(PAIR_EXTRA), .ACCW(ACCW)
      ) u_mac (
          .clk_i, .accumulate_i(valid_q[PRODUCT]), .z_i(z_word_i[2*u*ZW+:2*ZW]), .coef_i(coef_q),
          .sums_o(acc[u*UNITW+:UNITW])
      );
    end else if (LUT_MULTIPLY) begin : gen_lut
      penni_mac_lut #(
          .ZW(ZW), .Z_SIGNED(Z_SIGNED), .CW(CW), .ACCW(ACCW)
      ) u_mac (
          .clk_i, .accumulate_i(valid_q[PRODUCT]), .z_i(z_word_i[u*ZW+:ZW]), .coef_i(coef_q), .acc_o(acc[u*UNITW+:UNITW])
      );
    end else begin : gen_dsp
      penni_mac #(
          .ZW(ZW), .Z_SIGNED(Z_SIGNED), .CW(CW), .ACCW(ACCW)
      ) u_mac (
          .clk_i, .accumulate_i(valid_q[PRODUCT]), .z_i(z_word_i[u*ZW+:ZW]), .coef_i(coef_q), .acc_o(acc[u*UNITW+:UNITW])
      );
    end
  end

  // ---- Running sums at row ends -------------------------------------------------------------------------------------
  logic             keep;
  logic [ROWAW-1:0] row_q;
  logic             half_q;
  // A row that begins finds the sum of the one before; the last one ends with the group.
  assign keep = ROW_BIT ? last_q[PRODUCT+1] : begins_q[PRODUCT] || done_i;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      row_q  <= '0;
      half_q <= 1'b0;
    end else begin
      if (keep) row_q <= row_q + 1'b1;
      if (done_i) begin
        row_q  <= '0;
        half_q <= !half_q;
      end
    end
  end

  if (SUM_HALVES) begin : gen_halves
    penni_ram #(
        .WIDTH(UNITS * UNITW), .DEPTH(2 << ROWAW), .AW(ROWAW + 1), .STYLE(32'(SUM_BLOCK))
    ) u_sums (
        .clk_i, .we_i(keep), .waddr_i({half_q, row_q}), .wdata_i(acc),
        .re_i(1'b1), .raddr_i({sum_rhalf_i, sum_raddr_i}), .rdata_o(sum_rdata_o)
    );
  end else begin : gen_one
    penni_ram #(
        .WIDTH(UNITS * UNITW), .DEPTH(ROWS), .AW(ROWAW), .STYLE(32'(SUM_BLOCK))
    ) u_sums (
        .clk_i, .we_i(keep), .waddr_i(row_q), .wdata_i(acc),
        .re_i(1'b1), .raddr_i(sum_raddr_i), .rdata_o(sum_rdata_o)
    );
    logic unused;
    assign unused = half_q ^ sum_rhalf_i;
  end
endmodule
