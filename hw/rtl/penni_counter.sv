/// Counts the cycles in which event_i is high; wraps. count_o is a register, one cycle behind event_i.
module penni_counter #(
    parameter int unsigned WIDTH = 48
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             clear_i,
    input  logic             event_i,
    output logic [WIDTH-1:0] count_o
);
  logic [WIDTH-1:0] count_q;
  assign count_o = count_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni || clear_i) count_q <= '0;
    else if (event_i) count_q <= count_q + 1'b1;
  end
endmodule
