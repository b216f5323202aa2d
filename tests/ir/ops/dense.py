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


def geometry(x, kernel, stride, pad) -> tuple[tuple[int, ...], ...]:
    """Sizes of windows, one number or one each: (kh, kw), (stride down, right), (pad at the top, left), (Ho, Wo)."""
    kh, kw = (kernel, kernel) if isinstance(kernel, int) else kernel
    down, right = (stride, stride) if isinstance(stride, int) else stride
    top, left, bottom, beyond = (pad,) * 4 if isinstance(pad, int) else pad
    _, h, w, _ = x.shape
    ho, wo = (h + top + bottom - kh) // down + 1, (w + left + beyond - kw) // right + 1
    return (kh, kw), (down, right), (top, left), (ho, wo)


def basis_conv(x, basis, shifts, stride, pad, pad_value, z_bits, z_signed) -> np.ndarray:
    """x (N, H, W, C) -> (N, Ho, Wo, C, d)."""
    n, _, _, channels = x.shape
    d = len(basis)
    (kh, kw), (down, right), (top, left), (ho, wo) = geometry(x, basis.shape[1:], stride, pad)
    out = np.zeros((n, ho, wo, channels, d), np.int64)
    for image, oy, ox, c in np.ndindex(n, ho, wo, channels):
        patch = np.array([
            [window(x, image, oy * down - top + i, ox * right - left + j, c, int(pad_value[c])) for j in range(kw)]
            for i in range(kh)
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


def affine(x, requant, skip=None) -> np.ndarray:
    """x, skip (N, H, W, C) -> the same shape."""
    total = np.zeros(x.shape, np.int64)
    for place in np.ndindex(x.shape):
        added = 0 if skip is None else int(skip[place]) * requant.skip_multiplier
        total[place] = int(x[place]) * int(requant.multiplier[place[3]]) + added + int(requant.bias[place[3]])
    return clipped(rounded(total, requant.shift), requant.out.bits, requant.out.signed)


def depthwise_conv(x, coefs, requant, stride, pad, pad_value) -> np.ndarray:
    """x (N, H, W, C), coefs (C, kh, kw) -> (N, Ho, Wo, C)."""
    n, _, _, channels = x.shape
    (kh, kw), (down, right), (top, left), (ho, wo) = geometry(x, coefs.shape[1:], stride, pad)
    total = np.zeros((n, ho, wo, channels), np.int64)
    for image, oy, ox, c in np.ndindex(total.shape):
        acc = sum(
            int(coefs[c, i, j]) * window(x, image, oy * down - top + i, ox * right - left + j, c, int(pad_value[c]))
            for i, j in np.ndindex(kh, kw)
        )
        total[image, oy, ox, c] = acc * int(requant.multiplier[c]) + int(requant.bias[c])
    return clipped(rounded(total, requant.shift), requant.out.bits, requant.out.signed)


def max_pool(x, kernel, stride, pad) -> np.ndarray:
    n, h, w, channels = x.shape
    (kh, kw), (down, right), (top, left), (ho, wo) = geometry(x, kernel, stride, pad)
    out = np.zeros((n, ho, wo, channels), np.int64)
    for image, oy, ox, c in np.ndindex(out.shape):
        rows = range(max(0, oy * down - top), min(h, oy * down - top + kh))
        columns = range(max(0, ox * right - left), min(w, ox * right - left + kw))
        out[image, oy, ox, c] = max(int(x[image, i, j, c]) for i in rows for j in columns)
    return out


def avg_pool(x, kernel, stride, pad) -> np.ndarray:
    """The sums, not yet divided."""
    n, _, _, channels = x.shape
    (kh, kw), (down, right), (top, left), (ho, wo) = geometry(x, kernel, stride, pad)
    out = np.zeros((n, ho, wo, channels), np.int64)
    for image, oy, ox, c in np.ndindex(out.shape):
        rows = range(oy * down - top, oy * down - top + kh)
        columns = range(ox * right - left, ox * right - left + kw)
        out[image, oy, ox, c] = sum(window(x, image, i, j, c, 0) for i in rows for j in columns)
    return out


def clip(x, lo, hi) -> np.ndarray:
    out = np.zeros(x.shape, np.int64)
    for place in np.ndindex(x.shape):
        out[place] = sorted((lo, int(x[place]), hi))[1]
    return out
