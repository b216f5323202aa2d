"""Network architectures for training."""
