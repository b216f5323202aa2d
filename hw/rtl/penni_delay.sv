/// out = in, CYCLES enabled cycles ago; CYCLES = 0 is a wire. No reset, so that tools can infer shift registers.
module penni_delay #(
    parameter int unsigned WIDTH = 8,
    parameter int unsigned CYCLES = 1
) (
    /* verilator lint_off UNUSEDSIGNAL */
    input  logic             clk_i,  // unused where CYCLES = 0
    input  logic             en_i,
    /* verilator lint_on UNUSEDSIGNAL */
    input  logic [WIDTH-1:0] in_i,
    output logic [WIDTH-1:0] out_o
);
  if (CYCLES == 0) begin : gen_wire
    assign out_o = in_i;
  end else if (CYCLES == 1) begin : gen_register
    always_ff @(posedge clk_i) if (en_i) out_o <= in_i;
  end else begin : gen_chain
    logic [CYCLES*WIDTH-1:0] chain_q;
    always_ff @(posedge clk_i) if (en_i) chain_q <= {chain_q[(CYCLES-1)*WIDTH-1:0], in_i};
    assign out_o = chain_q[CYCLES*WIDTH-1-:WIDTH];
  end
endmodule
