/// Words of VALUES values to single values, the lowest first.
///
/// One value per cycle, no gap between words; latency 1. Outputs are registered; in_ready_o depends on out_ready_i.
module penni_narrow #(
    parameter int unsigned XW = 8,
    parameter int unsigned VALUES = 4,  // 2 or more
    /* verilator lint_off UNUSEDPARAM */
    parameter int unsigned BEATS = 4  // values of a frame: for the C++ loops, not used by the hardware
    /* verilator lint_on UNUSEDPARAM */
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,
    input  logic                 in_valid_i,
    output logic                 in_ready_o,
    input  logic [VALUES*XW-1:0] in_data_i,
    output logic                 out_valid_o,
    input  logic                 out_ready_i,
    output logic [XW-1:0]        out_data_o
);
  logic [VALUES-1:0]    left_q;  // as many ones, from the lowest bit on, as there are values left
  logic [VALUES*XW-1:0] data_q;

  assign in_ready_o  = !left_q[0] || (out_ready_i && !left_q[1]);
  assign out_valid_o = left_q[0];
  assign out_data_o  = data_q[XW-1:0];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) left_q <= '0;
    else if (in_ready_o) left_q <= {VALUES{in_valid_i}};
    else if (out_ready_i) left_q <= left_q >> 1;
  end

  always_ff @(posedge clk_i) begin
    if (in_ready_o) data_q <= in_data_i;
    else if (out_ready_i) data_q <= data_q >> XW;
  end
endmodule
