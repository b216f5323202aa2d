"""Ways out: a network as a plain PyTorch module, an ONNX file, or any of the forms that can be read back."""
