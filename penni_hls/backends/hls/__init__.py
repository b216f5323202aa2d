"""The Vitis HLS C++ of a network: emitted, compiled and run by g++, turned into Verilog by an HLS compiler."""
