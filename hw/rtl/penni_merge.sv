/// The images of COPIES streams, 2 to 4, by turns: BEATS words of the first, the next BEATS of the second, and so on, then
/// of the first again. Inputs beyond COPIES are not read.
///
/// Latency 0: out_valid_o is the valid of the input whose turn it is; the ready of that input is out_ready_i.
module penni_merge #(
    parameter int unsigned XW = 8,
    parameter int unsigned COPIES = 2,
    parameter int unsigned BEATS = 4,
    parameter int unsigned THIRDW = 1,  // XW where the input is in use
    parameter int unsigned FOURTHW = 1
) (
    input  logic               clk_i,
    input  logic               rst_ni,
    input  logic               in_valid_i,
    output logic               in_ready_o,
    input  logic [XW-1:0]      in_data_i,
    input  logic               second_valid_i,
    output logic               second_ready_o,
    input  logic [XW-1:0]      second_data_i,
    input  logic               third_valid_i,
    output logic               third_ready_o,
    input  logic [THIRDW-1:0]  third_data_i,
    input  logic               fourth_valid_i,
    output logic               fourth_ready_o,
    input  logic [FOURTHW-1:0] fourth_data_i,
    output logic               out_valid_o,
    input  logic               out_ready_i,
    output logic [XW-1:0]      out_data_o
);
  localparam int unsigned BW = (BEATS > 1) ? $clog2(BEATS) : 1;
  logic [BW-1:0] beat_q;
  logic [1:0]    turn_q;

  assign in_ready_o     = out_ready_i && turn_q == 2'd0;
  assign second_ready_o = out_ready_i && turn_q == 2'd1;
  assign third_ready_o  = out_ready_i && turn_q == 2'd2;
  assign fourth_ready_o = out_ready_i && turn_q == 2'd3;

  always_comb begin
    unique case (turn_q)
      2'd0: {out_valid_o, out_data_o} = {in_valid_i, in_data_i};
      2'd1: {out_valid_o, out_data_o} = {second_valid_i, second_data_i};
      2'd2: {out_valid_o, out_data_o} = {third_valid_i, XW'(third_data_i)};
      default: {out_valid_o, out_data_o} = {fourth_valid_i, XW'(fourth_data_i)};
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      beat_q <= '0;
      turn_q <= '0;
    end else if (out_valid_o && out_ready_i) begin
      beat_q <= (beat_q == BW'(BEATS - 1)) ? '0 : beat_q + 1'b1;
      if (beat_q == BW'(BEATS - 1)) turn_q <= (turn_q == 2'(COPIES - 1)) ? '0 : turn_q + 1'b1;
    end
  end
endmodule
