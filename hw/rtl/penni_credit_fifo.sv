/// The end of a pipeline that never stalls: values that have arrived and are not taken yet, DEPTH (a power of two) at
/// most, in a shift register (SRL).
///
/// A value may enter the pipeline, start_i, in a cycle with ready_o only; some cycles later it arrives with valid_i.
/// ready_o counts what is in the pipeline or here, so that there is room for all of it. For one value per cycle, DEPTH
/// has to be the cycles from start_i to valid_i and two more. ready_o and out_valid_o are single registers; out_data_o
/// is read by the address of the oldest value.
module penni_credit_fifo #(
    parameter int unsigned WIDTH = 8,
    parameter int unsigned DEPTH = 16
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    output logic             ready_o,
    input  logic             start_i,
    input  logic             valid_i,
    input  logic [WIDTH-1:0] data_i,
    output logic             out_valid_o,
    input  logic             out_ready_i,
    output logic [WIDTH-1:0] out_data_o
);
  localparam int unsigned AW = $clog2(DEPTH);
  // One less than the credits left, and than the values here: the top bit says that there is none.
  logic [AW:0] credit_q, oldest_q;
  logic        take;

  assign ready_o     = !credit_q[AW];
  assign out_valid_o = !oldest_q[AW];
  assign take        = out_valid_o && out_ready_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      credit_q <= (AW + 1)'(DEPTH - 1);
      oldest_q <= '1;
    end else begin
      if (start_i != take) credit_q <= take ? credit_q + 1'b1 : credit_q - 1'b1;
      if (valid_i != take) oldest_q <= take ? oldest_q - 1'b1 : oldest_q + 1'b1;
    end
  end

  for (genvar i = 0; i < WIDTH; i++) begin : gen_bit
    logic [DEPTH-1:0] values_q;  // the newest lowest; no reset, so that tools can infer shift registers
    always_ff @(posedge clk_i) if (valid_i) values_q <= {values_q[DEPTH-2:0], data_i[i]};
    assign out_data_o[i] = values_q[oldest_q[AW-1:0]];
  end
endmodule
