/// Table with the contents of FILE ($readmemh, one word per line), in LUTs: data_o is word addr_i, combinationally.
///
/// A module of its own, so that it can be mapped alone: 64 words are one LUT for each bit, 128 and 256 with multiplexers
/// of the slice. Within an operator yosys takes several levels of small LUTs instead (see backends/rtl/yosys.py).
module penni_rom_luts #(
    parameter int unsigned WIDTH = 8,
    parameter int unsigned DEPTH = 16,
    parameter int unsigned AW = 4,
    parameter FILE = ""
) (
    input  logic [AW-1:0]    addr_i,
    output logic [WIDTH-1:0] data_o
);
  // yosys and Vivado name the attribute's value differently.
`ifdef YOSYS
  (* rom_style = "logic" *)
`else
  (* rom_style = "distributed" *)
`endif
  logic [WIDTH-1:0] mem[DEPTH];
  initial $readmemh(FILE, mem);
  assign data_o = mem[addr_i];
endmodule
