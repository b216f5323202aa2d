"""Quantization-aware training of the integer network."""
