/// The requantizer: y = sat((sum*M + skip*SKIP_K + bias') >>> SHIFT), the constants of CO channels one after the other.
///
/// step_o asks for the next sum, only while present_i and at most once in CYCLES cycles; the sum has to be on sum_i
/// SUM_CYCLES (2 to 9) cycles later. A value of the skip connection is taken with it. Nothing stalls from there on: a
/// step is made only if the FIFO at the end has room for its result. So out_ready_i reaches counters of that FIFO only.
///
/// CYCLES chooses how products are made: 1, a multiplier for M and one for SKIP_K; 2 or more, one multiplier that takes
/// turns; MW/2 + 1 or more, adders only (penni_requant_serial). The result is in the FIFO 3, 5 or MW/2 + 4 cycles after
/// the sum; later where a sum is wider than a multiplier (penni_requant_product).
///
/// A word of FILE, for each channel: multiplier lowest, then bias'.
module penni_requant #(
    parameter int unsigned CO = 4,
    parameter int unsigned CYCLES = 1,
    parameter int unsigned SUM_CYCLES = 4,
    parameter int unsigned ACCW = 20,
    parameter int unsigned MW = 16,
    parameter int unsigned BW = 32,
    parameter int unsigned TOTALW = 40,
    parameter int unsigned SHIFT = 20,
    parameter int unsigned YW = 8,
    parameter bit Y_SIGNED = 1'b0,
    parameter bit SKIP = 1'b0,
    parameter int unsigned SKIPW = 8,
    parameter bit SKIP_SIGNED = 1'b0,
    parameter int unsigned SKIP_K = 0,
    parameter bit BLOCK = 1'b0,
    parameter FILE = ""
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic                   present_i,
    output logic                   step_o,
    input  logic signed [ACCW-1:0] sum_i,
    input  logic                   skip_valid_i,
    output logic                   skip_ready_o,
    input  logic [SKIPW-1:0]       skip_data_i,
    output logic                   out_valid_o,
    input  logic                   out_ready_i,
    output logic [YW-1:0]          out_data_o
);
  localparam int unsigned CAW = (CO > 1) ? $clog2(CO) : 1;
  localparam bit SERIAL = CYCLES > MW / 2;
  localparam bit TURNS = !SERIAL && SKIP && CYCLES > 1;

  // ---- A step for each value: in the last of its CYCLES cycles, so that no value is begun before its turn -----------
  logic room, due, ready, step;
  assign ready        = room && present_i && due;
  assign step         = ready && (!SKIP || skip_valid_i);
  assign step_o       = step;
  assign skip_ready_o = SKIP && ready;

  if (CYCLES == 1) begin : gen_always
    assign due = 1'b1;
  end else begin : gen_paced
    localparam int unsigned NW = $clog2(CYCLES);
    logic [NW-1:0] phase_q;
    logic          due_q;
    assign due = due_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        phase_q <= '0;
        due_q   <= 1'b0;
      end else if (step) begin
        phase_q <= '0;
        due_q   <= 1'b0;
      end else if (room && present_i && !due_q) begin
        phase_q <= phase_q + 1'b1;
        due_q   <= phase_q == NW'(CYCLES - 2);
      end
    end
  end

  // ---- Constants: valid from one cycle before the sum, until the next value's ---------------------------------------
  logic [SUM_CYCLES:1] valid_q;  // [n]: n cycles after the step
  logic                read;
  logic [CAW-1:0]      channel_q;
  logic [MW+BW-1:0]    constants;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[SUM_CYCLES-1:1], step};
  end
  if (SUM_CYCLES == 2) begin : gen_now
    assign read = step;
  end else begin : gen_later
    assign read = valid_q[SUM_CYCLES-2];
  end
  always_ff @(posedge clk_i) begin
    if (!rst_ni) channel_q <= '0;
    else if (read) channel_q <= (channel_q == CAW'(CO - 1)) ? '0 : channel_q + 1'b1;
  end
  penni_rom #(
      .WIDTH(MW + BW), .DEPTH(CO), .AW(CAW), .BLOCK(BLOCK), .FILE(FILE)
  ) u_constants (
      .clk_i, .re_i(read), .raddr_i(channel_q), .rdata_o(constants)
  );
  if (!SKIP) begin : gen_no_skip
    logic unused;
    assign unused = ^{skip_valid_i, skip_data_i};
  end

  // ---- The total ----------------------------------------------------------------------------------------------------
  localparam int unsigned STAGES = SERIAL ? MW / 2 + 3 : TURNS ? 4 : (ACCW > 25) ? 2 + (ACCW - 23) / 2 : 2;
  // Serial: as wide as its steps leave it.
  localparam int unsigned DW = ((!SKIP || ACCW + 1 > SKIPW + 2) ? ACCW + 1 : SKIPW + 2) + 32'(SKIP);
  localparam int unsigned IW = SERIAL ? ((BW > DW) ? BW : DW) - 1 + 2 * (MW / 2 + 1) : TOTALW;
  logic signed [IW-1:0] total;
  logic [STAGES:1]      after_q;  // [n]: n cycles after the sum
  always_ff @(posedge clk_i) begin
    if (!rst_ni) after_q <= '0;
    else after_q <= {after_q[STAGES-1:1], valid_q[SUM_CYCLES]};
  end

  if (SERIAL) begin : gen_serial
    penni_requant_serial #(
        .ACCW(ACCW), .MW(MW), .BW(BW), .DW(DW), .IW(IW), .SKIP(SKIP), .SKIPW(SKIPW), .SKIP_SIGNED(SKIP_SIGNED),
        .SKIP_K(SKIP_K)
    ) u_serial (
        .clk_i, .step_i(step), .read_i(read), .first_i(valid_q[SUM_CYCLES]),
        .start_i(after_q[2]), .sum_i, .multiplier_i(constants[MW-1:0]), .bias_i(constants[MW+:BW]), .skip_data_i,
        .total_o(total)
    );
  end else begin : gen_multiplier
    logic [SKIPW-1:0] skip;
    penni_delay #(
        .WIDTH(SKIPW), .CYCLES(TURNS ? SUM_CYCLES + 1 : SUM_CYCLES - 2)
    ) u_skip (
        .clk_i, .en_i(1'b1), .in_i(skip_data_i), .out_o(skip)
    );
    if (TURNS) begin : gen_turns
      penni_requant_turns #(
          .ACCW(ACCW), .MW(MW), .BW(BW), .TOTALW(TOTALW), .SKIPW(SKIPW), .SKIP_SIGNED(SKIP_SIGNED), .SKIP_K(SKIP_K)
      ) u_turns (
          .clk_i, .first_i(valid_q[SUM_CYCLES]), .start_i(after_q[2]), .sum_i,
          .multiplier_i(constants[MW-1:0]), .bias_i(constants[MW+:BW]), .skip_i(skip), .total_o(total)
      );
    end else begin : gen_parallel
      penni_requant_product #(
          .ACCW(ACCW), .MW(MW), .BW(BW), .TOTALW(TOTALW), .SKIP(SKIP), .SKIPW(SKIPW), .SKIP_SIGNED(SKIP_SIGNED),
          .SKIP_K(SKIP_K)
      ) u_product (
          .clk_i, .sum_i, .multiplier_i(constants[MW-1:0]), .bias_i(constants[MW+:BW]), .skip_i(skip), .total_o(total)
      );
    end
  end

  // ---- Saturate, and wait for the reader ----------------------------------------------------------------------------
  logic [YW-1:0] y;
  localparam int unsigned KEPT = (IW < TOTALW) ? IW : TOTALW;  // the total is within TOTALW bits
  if (IW > KEPT) begin : gen_sign
    logic unused;
    assign unused = ^total[IW-1:KEPT];
  end
  penni_shift_sat #(
      .IW(KEPT), .SHIFT(SHIFT), .OW(YW), .O_SIGNED(Y_SIGNED)
  ) u_sat (
      .in_i(total[KEPT-1:0]), .out_o(y)
  );
  penni_credit_fifo #(
      .WIDTH(YW)
  ) u_results (
      .clk_i, .rst_ni, .ready_o(room), .start_i(step), .valid_i(after_q[STAGES]), .data_i(y),
      .out_valid_o, .out_ready_i, .out_data_o
  );
endmodule
