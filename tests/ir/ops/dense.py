"""The operators computed another way: plain loops over int64, straight from the contract. No code shared with the
operators."""

from __future__ import annotations

import numpy as np


def rounded(value: np.ndarray, shift: int) -> np.ndarray:
    """floor(value / 2^shift + 1/2), in Python integers."""
    if shift == 0:
        return value
    return np.array([(int(v) * 2 + (1 << shift)) // (1 << (shift + 1)) for v in value.ravel()], np.int64).reshape(
        value.shape
    )


def clipped(value: np.ndarray, bits: int, signed: bool) -> np.ndarray:
    lo, hi = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return np.minimum(np.maximum(value, lo), hi)


def window(x: np.ndarray, n: int, row: int, column: int, c: int, outside: int) -> int:
    """x[n, row, column, c], or `outside`."""
    inside = 0 <= row < x.shape[1] and 0 <= column < x.shape[2]
    return int(x[n, row, column, c]) if inside else outside


def basis_conv(x, basis, shifts, stride, pad, pad_value, z_bits, z_signed) -> np.ndarray:
    """x (N, H, W, C) -> (N, Ho, Wo, C, d)."""
    n, h, w, channels = x.shape
    d, k, _ = basis.shape
    ho, wo = (h + 2 * pad - k) // stride + 1, (w + 2 * pad - k) // stride + 1
    out = np.zeros((n, ho, wo, channels, d), np.int64)
    for image, oy, ox, c in np.ndindex(n, ho, wo, channels):
        patch = np.array([
            [window(x, image, oy * stride - pad + i, ox * stride - pad + j, c, int(pad_value[c])) for j in range(k)]
            for i in range(k)
        ])  # fmt: skip
        out[image, oy, ox, c] = [(patch * basis[b]).sum() for b in range(d)]
    for b, shift in enumerate(shifts):
        out[..., b] = rounded(out[..., b], shift)
    return clipped(out, z_bits, z_signed)


def sparse_mac(z, coefs, requant, flatten, skip=None) -> np.ndarray:
    """z (N, …) -> (N, pixels, C_out): the dense product."""
    n = z.shape[0]
    columns = coefs.shape[1]
    rows = z.astype(np.int64).reshape(n, 1 if flatten else -1, columns)
    total = np.einsum("npa,oa->npo", rows, coefs) * requant.multiplier + requant.bias
    if skip is not None:
        total = total + skip.astype(np.int64).reshape(total.shape) * requant.skip_multiplier
    return clipped(rounded(total, requant.shift), requant.out.bits, requant.out.signed)


def depthwise_conv(x, coefs, requant, stride, pad, pad_value) -> np.ndarray:
    """x (N, H, W, C), coefs (C, k, k) -> (N, Ho, Wo, C)."""
    n, h, w, channels = x.shape
    k = coefs.shape[1]
    ho, wo = (h + 2 * pad - k) // stride + 1, (w + 2 * pad - k) // stride + 1
    total = np.zeros((n, ho, wo, channels), np.int64)
    for image, oy, ox, c in np.ndindex(total.shape):
        acc = sum(
            int(coefs[c, i, j]) * window(x, image, oy * stride - pad + i, ox * stride - pad + j, c, int(pad_value[c]))
            for i, j in np.ndindex(k, k)
        )
        total[image, oy, ox, c] = acc * int(requant.multiplier[c]) + int(requant.bias[c])
    return clipped(rounded(total, requant.shift), requant.out.bits, requant.out.signed)


def max_pool(x, kernel, stride, pad) -> np.ndarray:
    n, h, w, channels = x.shape
    ho, wo = (h + 2 * pad - kernel) // stride + 1, (w + 2 * pad - kernel) // stride + 1
    out = np.zeros((n, ho, wo, channels), np.int64)
    for image, oy, ox, c in np.ndindex(out.shape):
        rows = range(max(0, oy * stride - pad), min(h, oy * stride - pad + kernel))
        columns = range(max(0, ox * stride - pad), min(w, ox * stride - pad + kernel))
        out[image, oy, ox, c] = max(int(x[image, i, j, c]) for i in rows for j in columns)
    return out


def avg_pool(x, kernel, stride, pad) -> np.ndarray:
    """The sums, not yet divided."""
    n, h, w, channels = x.shape
    ho, wo = (h + 2 * pad - kernel) // stride + 1, (w + 2 * pad - kernel) // stride + 1
    out = np.zeros((n, ho, wo, channels), np.int64)
    for image, oy, ox, c in np.ndindex(out.shape):
        rows, columns = (range(o * stride - pad, o * stride - pad + kernel) for o in (oy, ox))
        out[image, oy, ox, c] = sum(window(x, image, i, j, c, 0) for i in rows for j in columns)
    return out


def clip(x, lo, hi) -> np.ndarray:
    out = np.zeros(x.shape, np.int64)
    for place in np.ndindex(x.shape):
        out[place] = sorted((lo, int(x[place]), hi))[1]
    return out
