"""The PENNI algorithm: decompose, alternate, prune, fine-tune, shrink."""

from .pipeline import CompressConfig, Compressed, compress

__all__ = ["CompressConfig", "Compressed", "compress"]
