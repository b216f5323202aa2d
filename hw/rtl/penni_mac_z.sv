/// The z memory of P lanes: one word is Q pixels at one address, each lane reads a word per cycle.
///
/// HALVES: two halves, of which one is written while the other is read; each lane has its own copy. Else nothing reads
/// while a word is written, so two lanes read a copy in block RAM or UltraRAM through its two ports. STYLE as of penni_ram.
/// Read latency 1.
module penni_mac_z #(
    parameter int unsigned P = 1,
    parameter int unsigned WIDTH = 32,
    parameter int unsigned LANES = 1,  // write enables of a word
    parameter int unsigned DEPTH = 20,
    parameter int unsigned ADDRW = 5,
    parameter bit HALVES = 1'b1,
    parameter int unsigned STYLE = 1
) (
    input  logic                     clk_i,
    input  logic [LANES-1:0]         we_i,
    input  logic [ADDRW-1:0]         waddr_i,
    input  logic                     whalf_i,
    input  logic [LANES*WIDTH-1:0]   wdata_i,
    input  logic [P*ADDRW-1:0]       raddr_i,
    input  logic                     rhalf_i,
    output logic [P*LANES*WIDTH-1:0] rdata_o
);
  localparam int unsigned WORDW = LANES * WIDTH;

  for (genvar p = 0; p < P; p++) begin : gen_copy
    if (HALVES) begin : gen_halves
      penni_ram #(
          .WIDTH(WIDTH), .LANES(LANES), .DEPTH(2 << ADDRW), .AW(ADDRW + 1), .STYLE(STYLE)
      ) u_z (
          .clk_i, .we_i, .waddr_i({whalf_i, waddr_i}), .wdata_i,
          .re_i(1'b1), .raddr_i({rhalf_i, raddr_i[p*ADDRW+:ADDRW]}), .rdata_o(rdata_o[p*WORDW+:WORDW])
      );
    end else if (STYLE == 0 || p == P - 1 && p % 2 == 0) begin : gen_alone
      penni_ram #(
          .WIDTH(WIDTH), .LANES(LANES), .DEPTH(DEPTH), .AW(ADDRW), .STYLE(STYLE)
      ) u_z (
          .clk_i, .we_i, .waddr_i, .wdata_i,
          .re_i(1'b1), .raddr_i(raddr_i[p*ADDRW+:ADDRW]), .rdata_o(rdata_o[p*WORDW+:WORDW])
      );
    end else if (p % 2 == 0) begin : gen_pair
      penni_shared_ram #(
          .WIDTH(WIDTH), .LANES(LANES), .DEPTH(DEPTH), .AW(ADDRW), .ULTRA(STYLE == 2)
      ) u_z (
          .clk_i, .we_i, .waddr_i, .wdata_i, .raddr_i(raddr_i[p*ADDRW+:2*ADDRW]), .rdata_o(rdata_o[p*WORDW+:2*WORDW])
      );
    end
  end
  if (!HALVES) begin : gen_one
    logic unused;
    assign unused = whalf_i ^ rhalf_i;
  end
endmodule
