"""The SystemVerilog of a network: emitted, simulated by Verilator under cocotb, synthesized by yosys."""
