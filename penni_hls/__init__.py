"""penni-hls: PENNI-compressed CNNs to streaming FPGA accelerators, equal to the last bit in Python, C++ and RTL."""

__version__ = "0.1.0"
