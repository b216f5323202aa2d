"""What all layers share: the map on an edge, how large a layer is, windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MapSpec:
    """What an edge of the float graph carries for one image: shape (H, W, C), float32."""

    shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"MapSpec: shape {self.shape}")

    @property
    def pixels(self) -> int:
        return self.shape[0] * self.shape[1]

    def __str__(self) -> str:
        return "x".join(map(str, self.shape))


@dataclass(frozen=True)
class Size:
    """How large a layer is. Multiply-accumulates (MACs) are per image.

    dense_parameters, dense_macs: of the layer written as plain weights. nonzeros: numbers stored, zeros left out.
    basis_macs: of the basis convolutions whose result some coefficient reads; sparse_macs: one per non-zero and pixel.
    """

    dense_parameters: int = 0
    nonzeros: int = 0
    dense_macs: int = 0
    basis_macs: int = 0
    sparse_macs: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(
            self.dense_parameters + other.dense_parameters,
            self.nonzeros + other.nonzeros,
            self.dense_macs + other.dense_macs,
            self.basis_macs + other.basis_macs,
            self.sparse_macs + other.sparse_macs,
        )


def windowed(x: MapSpec, kernel: int, stride: int, pad: int, channels: int) -> MapSpec:
    """The map that k x k windows of `x` give."""
    h, w, _ = x.shape
    return MapSpec(((h + 2 * pad - kernel) // stride + 1, (w + 2 * pad - kernel) // stride + 1, channels))


def columns(x: np.ndarray, kernel: int, stride: int, pad: int, fill: float = 0.0) -> np.ndarray:
    """x (N, H, W, C) -> its windows (N, Ho, Wo, k*k, C), taps row by row, `fill` outside the image; same dtype."""
    n, h, w, c = x.shape
    ho, wo = (h + 2 * pad - kernel) // stride + 1, (w + 2 * pad - kernel) // stride + 1
    padded = np.full((n, h + 2 * pad, w + 2 * pad, c), fill, x.dtype) if pad else x
    if pad:
        padded[:, pad : pad + h, pad : pad + w] = x
    out = np.empty((n, ho, wo, kernel * kernel, c), x.dtype)
    for t in range(kernel * kernel):
        i, j = divmod(t, kernel)
        out[:, :, :, t] = padded[:, i : i + (ho - 1) * stride + 1 : stride, j : j + (wo - 1) * stride + 1 : stride]
    return out


def count_nonzeros(*arrays: np.ndarray | None) -> int:
    return sum(int(np.count_nonzero(a)) for a in arrays if a is not None)
