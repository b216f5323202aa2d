"""Windows of a map: how many there are, and what they hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def windows(length: int, kernel: int, stride: int, pad: int) -> int:
    """Windows of `kernel` along an axis of `length` values with `pad` more at each end."""
    return (length + 2 * pad - kernel) // stride + 1


def window_map(shape: tuple[int, ...], kernel: int, stride: int, pad: int) -> tuple[int, int]:
    """Rows and columns of the map (H, W, …) that its square windows make."""
    h, w, *_ = shape
    return windows(h, kernel, stride, pad), windows(w, kernel, stride, pad)


def taps(
    x: np.ndarray, kernel: int, stride: int, pad: int, fill: float | np.ndarray, dtype: np.dtype | None = None
) -> Iterator[np.ndarray]:
    """x (N, H, W, C) -> for each of the k*k taps, row by row, what all windows hold there: (N, Ho, Wo, C).

    fill: what lies outside the map, a number or one per channel. dtype: of the results, by default that of x.
    """
    n, h, w, c = x.shape
    ho, wo = window_map((h, w), kernel, stride, pad)
    padded = x.astype(dtype or x.dtype, copy=False)
    if pad:
        padded = np.empty((n, h + 2 * pad, w + 2 * pad, c), dtype or x.dtype)
        padded[:] = fill
        padded[:, pad : pad + h, pad : pad + w] = x
    for i in range(kernel):
        for j in range(kernel):
            yield padded[:, i : i + (ho - 1) * stride + 1 : stride, j : j + (wo - 1) * stride + 1 : stride]
