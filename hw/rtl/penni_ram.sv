/// Simple dual-port RAM: one write port with a write enable for each of LANES lanes, one read port.
///
/// Read: rdata_o is mem[raddr_i] as of the last cycle in which re_i was high; a write in that same cycle is not seen.
/// Latency 1. rdata_o is registered. STYLE: 0 LUT RAM, 1 block RAM, 2 UltraRAM, which writes lanes of 8 or 9 bits alone.
/// Contents are not reset.
module penni_ram #(
    parameter int unsigned WIDTH = 8,
    parameter int unsigned LANES = 1,
    parameter int unsigned DEPTH = 16,
    parameter int unsigned AW = 4,
    parameter int unsigned STYLE = 0
) (
    input  logic                   clk_i,
    input  logic [LANES-1:0]       we_i,
    input  logic [AW-1:0]          waddr_i,
    input  logic [LANES*WIDTH-1:0] wdata_i,
    input  logic                   re_i,
    input  logic [AW-1:0]          raddr_i,
    output logic [LANES*WIDTH-1:0] rdata_o
);
  if (STYLE == 2) begin : gen_ultra
    (* ram_style = "ultra" *) logic [LANES*WIDTH-1:0] mem[DEPTH];
    always_ff @(posedge clk_i) begin
      for (int unsigned i = 0; i < LANES; i++) begin
        if (we_i[i]) mem[waddr_i][i*WIDTH+:WIDTH] <= wdata_i[i*WIDTH+:WIDTH];
      end
      if (re_i) rdata_o <= mem[raddr_i];
    end
  end else if (STYLE == 1) begin : gen_block
    (* ram_style = "block" *) logic [LANES*WIDTH-1:0] mem[DEPTH];
    always_ff @(posedge clk_i) begin
      for (int unsigned i = 0; i < LANES; i++) begin
        if (we_i[i]) mem[waddr_i][i*WIDTH+:WIDTH] <= wdata_i[i*WIDTH+:WIDTH];
      end
      if (re_i) rdata_o <= mem[raddr_i];
    end
  end else begin : gen_distributed
    for (genvar i = 0; i < LANES; i++) begin : gen_lane
      (* ram_style = "distributed" *) logic [WIDTH-1:0] mem[DEPTH];
      always_ff @(posedge clk_i) begin
        if (we_i[i]) mem[waddr_i] <= wdata_i[i*WIDTH+:WIDTH];
        if (re_i) rdata_o[i*WIDTH+:WIDTH] <= mem[raddr_i];
      end
    end
  end
endmodule
