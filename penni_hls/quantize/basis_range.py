"""Integer basis kernels: scale and shift, so that z uses its type's range and saturates only where that costs least."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir.fixed import QType, rshift, sat
from .exact import on_grid

SHRINK = tuple(
    2 ** (i / 8) for i in range(9)
)  # by how much a basis may stay below its type's largest value, so that z fits better
WINDOWS = 1 << 15  # windows on which the error is measured
MAX_SHIFT = 15
KERNEL_BITS = 30


@dataclass(frozen=True, eq=False)
class IntBasis:
    """basis: int64 (d, kh, kw). shifts: one per basis. scale: float64 (d,), basis conv in units of x = z * scale."""

    basis: np.ndarray
    shifts: tuple[int, ...]
    scale: np.ndarray


def identity_basis(kernel: tuple[int, int], used: np.ndarray) -> IntBasis:
    """A unit kernel for each tap: with them a dense convolution is a basis convolution too.

    used: bool (kh*kw,), the taps that some weight reads (a dilated kernel has others); if there is none, the first.
    """
    used = used if used.any() else np.arange(len(used)) == 0
    units = np.eye(len(used), dtype=np.int64)[used].reshape(-1, *kernel)
    return IntBasis(units, (0,) * len(units), np.ones(len(units)))


def quantize_basis(basis: np.ndarray, windows: np.ndarray, bits: int, z_type: QType) -> IntBasis:
    """basis float (d, kh, kw), windows (n, kh*kw) of x, integers or quarters, one channel each -> the basis in integers of
    `bits` bits.

    Each basis is tried at several scales and shifts; the combination whose z is nearest to the float result is chosen
    (mean square error over the windows, saturation included).
    """
    step = -(-len(windows) // WINDOWS)
    taps = np.ascontiguousarray(windows[::step].T, dtype=np.float64)
    kernels = on_grid(
        basis.reshape(len(basis), -1).astype(np.float64), KERNEL_BITS, axis=1
    )  # so all sums below are exact
    chosen = [_quantize_kernel(kernel, taps, bits, z_type) for kernel in kernels]
    ints = np.stack([kernel for kernel, _, _ in chosen]).reshape(basis.shape)
    return IntBasis(ints, tuple(shift for _, shift, _ in chosen), np.array([scale for _, _, scale in chosen]))


def _quantize_kernel(kernel: np.ndarray, taps: np.ndarray, bits: int, z_type: QType) -> tuple[np.ndarray, int, float]:
    """kernel (taps,), taps (taps, n) -> (int64 (taps,), shift, scale of z)."""
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
