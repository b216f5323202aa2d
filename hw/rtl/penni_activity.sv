/// What an operator waits for in each cycle: blocked where one of its results is offered and not taken; else starved where
/// one of its inputs would take a word that is not there; else neither: it is busy.
///
/// Observes the operator's INPUTS and OUTPUTS streams. Both outputs come from registers, a cycle late. TRACK counts the
/// cycles, for simulation.
module penni_activity #(
    parameter int unsigned INPUTS = 1,
    parameter int unsigned OUTPUTS = 1,
    parameter bit TRACK = 1'b0
) (
    input  logic               clk_i,
    input  logic               rst_ni,
    input  logic [INPUTS-1:0]  in_valid_i,
    input  logic [INPUTS-1:0]  in_ready_i,
    input  logic [OUTPUTS-1:0] out_valid_i,
    input  logic [OUTPUTS-1:0] out_ready_i,
    output logic               starved_o,
    output logic               blocked_o
);
  logic starved_q, blocked_q;
  assign starved_o = starved_q;
  assign blocked_o = blocked_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      starved_q <= 1'b0;
      blocked_q <= 1'b0;
    end else begin
      starved_q <= |(in_ready_i & ~in_valid_i) && !(|(out_valid_i & ~out_ready_i));
      blocked_q <= |(out_valid_i & ~out_ready_i);
    end
  end

  if (TRACK) begin : gen_track
    logic [31:0] starved_cycles_q;
    logic [31:0] blocked_cycles_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        starved_cycles_q <= '0;
        blocked_cycles_q <= '0;
      end else begin
        starved_cycles_q <= starved_cycles_q + 32'(starved_q);
        blocked_cycles_q <= blocked_cycles_q + 32'(blocked_q);
      end
    end
  end
endmodule
