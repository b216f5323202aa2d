"""Integer basis kernels: scale and shift, so that z uses its type's range and saturates only where that costs least."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir.fixed import QType, rshift, sat

SHRINK = tuple(
    2 ** (i / 8) for i in range(9)
)  # by how much a basis may stay below its type's largest value, so that z fits better
WINDOWS = 1 << 15  # windows on which the error is measured
MAX_SHIFT = 15


@dataclass(frozen=True, eq=False)
class IntBasis:
    """basis: int64 (d, k, k). shifts: one per basis. scale: float64 (d,), basis conv in units of x = z * scale."""

    basis: np.ndarray
    shifts: tuple[int, ...]
    scale: np.ndarray


def identity_basis(kernel: int) -> IntBasis:
    """The k*k unit kernels, one per tap: with them a dense convolution is a basis convolution too."""
    d = kernel * kernel
    return IntBasis(np.eye(d, dtype=np.int64).reshape(d, kernel, kernel), (0,) * d, np.ones(d))


def quantize_basis(basis: np.ndarray, windows: np.ndarray, bits: int, z_type: QType) -> IntBasis:
    """basis float (d, k, k), windows integers (n, k*k) of x, one channel each -> the basis in `bits`-bit integers.

    Each basis is tried at several scales and shifts; the combination whose z is nearest to the float result is chosen
    (mean square error over the windows, saturation included).
    """
    d, k, _ = basis.shape
    step = -(-len(windows) // WINDOWS)
    taps = np.ascontiguousarray(windows[::step].T, dtype=np.float64)
    chosen = [_quantize_kernel(kernel.ravel().astype(np.float64), taps, bits, z_type) for kernel in basis]
    ints = np.stack([kernel for kernel, _, _ in chosen]).reshape(d, k, k)
    return IntBasis(ints, tuple(shift for _, shift, _ in chosen), np.array([scale for _, _, scale in chosen]))


def _quantize_kernel(kernel: np.ndarray, taps: np.ndarray, bits: int, z_type: QType) -> tuple[np.ndarray, int, float]:
    """kernel (k*k,), taps (k*k, n) -> (int64 (k*k,), shift, scale of z)."""
    top = (1 << (bits - 1)) - 1
    peak = np.abs(kernel).max()
    if peak == 0:
        return np.zeros(len(kernel), np.int64), 0, 1.0
    exact = kernel @ taps
    best: tuple[float, np.ndarray, int, float] | None = None
    tried: set[bytes] = set()
    for shrink in SHRINK:
        unit = peak / top * shrink
        ints = np.rint(kernel / unit)
        if ints.tobytes() in tried or not ints.any():
            continue
        tried.add(ints.tobytes())
        # The unit that fits these integers best: with few bits it is not the one they were rounded with.
        unit = float(kernel @ ints) / float(ints @ ints)
        sums = ints @ taps
        reach = np.abs(sums).max()
        full = max(0, int(np.ceil(np.log2(max(reach, 1.0) / z_type.hi))))
        for shift in range(max(0, full - 2), min(full, MAX_SHIFT) + 1):
            scale = unit * 2.0**shift
            z = sat(rshift(sums, shift), z_type)
            error = float(np.square(z * scale - exact).mean())
            if best is None or error < best[0]:
                best = (error, ints.astype(np.int64), shift, scale)
    assert best is not None
    return best[1:]
