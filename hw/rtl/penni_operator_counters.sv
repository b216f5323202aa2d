/// Two counters for each of COUNT operators: cycles in which it is starved, and in which it is blocked, while the accelerator
/// is busy.
///
/// starved_i and blocked_i are those of penni_activity, busy_i belongs to the same cycle. word_o is counter number word_i,
/// starved and blocked by turns, one cycle later; 0 beyond the last.
module penni_operator_counters #(
    parameter int unsigned COUNT = 1,
    parameter int unsigned WIDTH = 32
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             clear_i,
    input  logic             busy_i,
    input  logic [COUNT-1:0] starved_i,
    input  logic [COUNT-1:0] blocked_i,
    input  logic [9:0]       word_i,
    output logic [31:0]      word_o
);
  localparam int unsigned AW = (COUNT > 1) ? $clog2(COUNT) + 1 : 1;
  logic [COUNT-1:0] starved_q, blocked_q;
  logic [2*COUNT*WIDTH-1:0] counts;

  always_ff @(posedge clk_i) begin
    starved_q <= starved_i & {COUNT{busy_i}};
    blocked_q <= blocked_i & {COUNT{busy_i}};
  end

  for (genvar i = 0; i < COUNT; i++) begin : gen_operator
    penni_counter #(.WIDTH(WIDTH)) u_starved (
        .clk_i, .rst_ni, .clear_i, .event_i(starved_q[i]), .count_o(counts[2*i*WIDTH+:WIDTH])
    );
    penni_counter #(.WIDTH(WIDTH)) u_blocked (
        .clk_i, .rst_ni, .clear_i, .event_i(blocked_q[i]), .count_o(counts[(2*i+1)*WIDTH+:WIDTH])
    );
  end

  always_ff @(posedge clk_i) begin
    word_o <= (word_i < 10'(2 * COUNT)) ? 32'(counts[word_i[AW-1:0]*WIDTH+:WIDTH]) : '0;
  end
endmodule
