/// The registers behind penni_axi_lite, as penni_hls/backends/registers.py lists them (docs/registers.md explains them).
///
/// Two cycles after read_i, data_o holds the value at raddr_i, which stays until then; reading the lower word of a counter
/// keeps its upper one for the read that follows. What can be written lies in the lowest byte of its register. Operators'
/// counters lie outside: operator_word_i is the word number operator_word_o, one cycle later. data_o, reset_o and clear_o
/// are registers.
module penni_registers #(
    parameter logic [31:0] CLOCK_HZ = '0,
    parameter logic [31:0] STREAMS = '0,
    parameter logic [127:0] DIGEST = '0,
    parameter logic [31:0] IMAGE_BYTES = '0,
    parameter logic [31:0] RESULT_WORDS = '0,
    parameter int unsigned CW = 48  // bits of a counter
) (
    input  logic          clk_i,
    input  logic          rst_ni,
    input  logic          write_i,
    input  logic [11:0]   waddr_i,
    input  logic [1:0]    wdata_i,
    input  logic          read_i,
    input  logic [11:0]   raddr_i,
    output logic [31:0]   data_o,
    output logic          reset_o,
    output logic          clear_o,
    input  logic [31:0]   status_i,
    input  logic [1:0]    errors_i,         // what sets them
    input  logic [CW-1:0] cycles_i,
    input  logic [CW-1:0] busy_i,
    input  logic [CW-1:0] starved_i,
    input  logic [CW-1:0] blocked_i,
    input  logic [CW-1:0] images_in_i,
    input  logic [CW-1:0] images_out_i,
    output logic [9:0]    operator_word_o,
    input  logic [31:0]   operator_word_i
);
  localparam logic [31:0] MAGIC = 32'h4E4E4550;
  localparam logic [31:0] VERSION = 32'h00010000;
  localparam logic [9:0] OPERATORS = 10'h100;  // words before those of operators

  logic       to_control, to_errors;
  logic [1:0] errors_q;
  assign to_control = write_i && waddr_i[11:2] == 10'h00C;
  assign to_errors  = write_i && waddr_i[11:2] == 10'h00E;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      reset_o  <= 1'b0;
      clear_o  <= 1'b0;
      errors_q <= '0;
    end else begin
      if (to_control) reset_o <= wdata_i[0];
      clear_o  <= to_control && wdata_i[1];
      errors_q <= (errors_q & ~(wdata_i & {2{to_errors}})) | errors_i;
    end
  end

  logic [31:0] value, value_q, upper_q;
  logic        outside_q;  // the word is one of operators
  assign operator_word_o = raddr_i[11:2] - OPERATORS;
  always_comb begin
    case (raddr_i[11:2])
      10'h000: value = MAGIC;
      10'h001: value = VERSION;
      10'h002: value = CLOCK_HZ;
      10'h003: value = STREAMS;
      10'h004: value = DIGEST[127:96];
      10'h005: value = DIGEST[95:64];
      10'h006: value = DIGEST[63:32];
      10'h007: value = DIGEST[31:0];
      10'h008: value = IMAGE_BYTES;
      10'h009: value = RESULT_WORDS;
      10'h00C: value = {31'b0, reset_o};
      10'h00D: value = status_i;
      10'h00E: value = {30'b0, errors_q};
      10'h010: value = cycles_i[31:0];
      10'h012: value = busy_i[31:0];
      10'h014: value = starved_i[31:0];
      10'h016: value = blocked_i[31:0];
      10'h018: value = images_in_i[31:0];
      10'h01A: value = images_out_i[31:0];
      10'h011, 10'h013, 10'h015, 10'h017, 10'h019, 10'h01B: value = upper_q;
      default: value = '0;
    endcase
  end

  always_ff @(posedge clk_i) begin
    value_q   <= value;
    outside_q <= raddr_i[11:2] >= OPERATORS;
    data_o    <= outside_q ? operator_word_i : value_q;
    if (read_i) begin
      case (raddr_i[11:2])
        10'h010: upper_q <= 32'(cycles_i >> 32);
        10'h012: upper_q <= 32'(busy_i >> 32);
        10'h014: upper_q <= 32'(starved_i >> 32);
        10'h016: upper_q <= 32'(blocked_i >> 32);
        10'h018: upper_q <= 32'(images_in_i >> 32);
        10'h01A: upper_q <= 32'(images_out_i >> 32);
        default: ;
      endcase
    end
  end

  logic unused;
  assign unused = ^{waddr_i[1:0], raddr_i[1:0]};
endmodule
