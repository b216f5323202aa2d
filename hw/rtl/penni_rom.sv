/// ROM with the contents of FILE ($readmemh, one word per line).
///
/// rdata_o is word raddr_i as of the last cycle in which re_i was high. Latency 1, registered. BLOCK selects block RAM,
/// else LUTs.
module penni_rom #(
    parameter int unsigned WIDTH = 8,
    parameter int unsigned DEPTH = 16,
    parameter int unsigned AW = 4,
    parameter bit BLOCK = 1'b0,
    parameter FILE = ""
) (
    input  logic             clk_i,
    input  logic             re_i,
    input  logic [AW-1:0]    raddr_i,
    output logic [WIDTH-1:0] rdata_o
);
  if (BLOCK) begin : gen_block
    (* rom_style = "block" *) logic [WIDTH-1:0] mem[DEPTH];
    initial $readmemh(FILE, mem);
    always_ff @(posedge clk_i) if (re_i) rdata_o <= mem[raddr_i];
  end else begin : gen_distributed
    logic [WIDTH-1:0] word;
    penni_rom_luts #(
        .WIDTH(WIDTH), .DEPTH(DEPTH), .AW(AW), .FILE(FILE)
    ) u_luts (
        .addr_i(raddr_i), .data_o(word)
    );
    always_ff @(posedge clk_i) if (re_i) rdata_o <= word;
  end
endmodule
