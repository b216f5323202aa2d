/// True dual-port block RAM, or with ULTRA UltraRAM, with two readers, of which the first gives its port up while a word is written.
///
/// Read: rdata_o[n] is mem[raddr_i[n]] as of the last cycle; rdata_o[0] means nothing after a cycle with a write.
/// Latency 1. A write enable for each of LANES lanes. Contents are not reset.
module penni_shared_ram #(
    parameter int unsigned WIDTH = 8,
    parameter int unsigned LANES = 1,
    parameter int unsigned DEPTH = 16,
    parameter int unsigned AW = 4,
    parameter bit ULTRA = 1'b0
) (
    input  logic                     clk_i,
    input  logic [LANES-1:0]         we_i,
    input  logic [AW-1:0]            waddr_i,
    input  logic [LANES*WIDTH-1:0]   wdata_i,
    input  logic [2*AW-1:0]          raddr_i,
    output logic [2*LANES*WIDTH-1:0] rdata_o
);
  localparam int unsigned WORDW = LANES * WIDTH;
  logic             write;
  logic [AW-1:0]    address;
  logic [WORDW-1:0] first_q, second_q;
  assign write   = |we_i;
  assign address = write ? waddr_i : raddr_i[AW-1:0];
  assign rdata_o = {second_q, first_q};

  if (ULTRA) begin : gen_ultra
    // A port of an UltraRAM that writes does not read.
    (* ram_style = "ultra" *) logic [WORDW-1:0] mem[DEPTH];
    always_ff @(posedge clk_i) begin
      for (int unsigned i = 0; i < LANES; i++) begin
        if (we_i[i]) mem[address][i*WIDTH+:WIDTH] <= wdata_i[i*WIDTH+:WIDTH];
      end
      if (!write) first_q <= mem[address];
    end
    always_ff @(posedge clk_i) second_q <= mem[raddr_i[AW+:AW]];
  end else begin : gen_block
    (* ram_style = "block" *) logic [WORDW-1:0] mem[DEPTH];
    always_ff @(posedge clk_i) begin
      for (int unsigned i = 0; i < LANES; i++) begin
        if (we_i[i]) mem[address][i*WIDTH+:WIDTH] <= wdata_i[i*WIDTH+:WIDTH];
      end
      first_q <= mem[address];
    end
    always_ff @(posedge clk_i) second_q <= mem[raddr_i[AW+:AW]];
  end
endmodule
