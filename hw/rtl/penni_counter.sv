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
  always_ff @(posedge clk_i) begin
    if (!rst_ni || clear_i) count_o <= '0;
    else if (event_i) count_o <= count_o + 1'b1;
  end
endmodule
