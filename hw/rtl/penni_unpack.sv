/// AXI4-Stream beats of LANES bytes to words of WORD bytes, lane 0 first; last_o is high with the last word of a packet.
///
/// keep_i may leave out bytes at the end of a packet's last beat. Elsewhere that is an error, sparse_o for a cycle: then the
/// bytes of the beat before the first hole are given. A last beat without any byte gives a word without a byte, byte_o
/// low, so that the end of its packet is known. A word that bytes lack has zeros for them, and whole_o is low. One word per
/// cycle, no gap between beats. ready_o, valid_o and what goes with it are registers.
module penni_unpack #(
    parameter int unsigned LANES = 4,
    parameter int unsigned WORD = 1    // divides LANES
) (
    input  logic               clk_i,
    input  logic               rst_ni,
    input  logic               valid_i,
    output logic               ready_o,
    input  logic [LANES*8-1:0] data_i,
    input  logic [LANES-1:0]   keep_i,
    input  logic               last_i,
    output logic               valid_o,
    input  logic               ready_i,
    output logic               byte_o,
    output logic               whole_o,
    output logic [WORD*8-1:0]  data_o,
    output logic               last_o,
    output logic               sparse_o
);
  logic               beat_valid, beat_last, beat_used, load, more;
  logic [LANES*8-1:0] beat_data;
  logic [LANES-1:0]   beat_keep, keep_q, run;
  logic [LANES*8-1:0] given, data_q;
  logic               valid_q, last_q;

  penni_fifo #(
      .WIDTH(LANES * 9 + 1),
      .DEPTH(2)
  ) u_beats (
      .clk_i,
      .rst_ni,
      .in_valid_i(valid_i),
      .in_ready_o(ready_o),
      .in_data_i({last_i, keep_i, data_i}),
      .out_valid_o(beat_valid),
      .out_ready_i(load),
      .out_data_o({beat_last, beat_keep, beat_data})
  );

  // Lanes before the first hole.
  for (genvar i = 0; i < LANES; i++) begin : gen_run
    assign run[i] = &beat_keep[i:0];
    assign given[8*i+:8] = (WORD == 1 || run[i]) ? beat_data[8*i+:8] : 8'd0;  // a single byte is not looked at
  end

  if (LANES > WORD) begin : gen_more
    assign more = keep_q[WORD];
  end else begin : gen_single
    assign more = 1'b0;
  end
  assign load      = !valid_q || (ready_i && !more);
  assign beat_used = beat_valid && (beat_keep[0] || beat_last);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q  <= 1'b0;
      sparse_o <= 1'b0;
    end else begin
      if (load) valid_q <= beat_used;
      sparse_o <= load && beat_valid && (run != beat_keep || (beat_last ? !beat_keep[0] : !(&beat_keep)));
    end
  end
  always_ff @(posedge clk_i) begin
    if (load) begin
      keep_q <= run;
      data_q <= given;
      last_q <= beat_last;
    end else if (ready_i) begin
      keep_q <= keep_q >> WORD;
      data_q <= data_q >> (8 * WORD);
    end
  end

  assign valid_o = valid_q;
  assign byte_o  = keep_q[0];
  assign whole_o = &keep_q[WORD-1:0];
  assign data_o  = data_q[WORD*8-1:0];
  assign last_o  = last_q && !more;
endmodule
