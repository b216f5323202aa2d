"""The float network along the calibration batch, in arithmetic that gives the same bits on every machine.

A matrix product in floating point depends on the order of its sums, so on the BLAS and on the processor that it finds.
Not so where every product and every sum is exact: activations and weights are rounded to grids (multiples of a power of
two) coarse enough for float64 to hold each sum of their products, and fine enough not to matter beside 8-bit integers.
What is no matrix product is computed element by element or by numpy's own sums, which have a fixed order.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from ..ir.graph import Node
from ..ir.layers import Conv, Linear, PenniConv, Scale
from ..ir.windows import weighted
from ..passes.fused import Fused

Sums = Callable[[Sequence[np.ndarray]], np.ndarray]

FLOAT64_BITS = 53
VALUE_BITS = 18  # of the largest activation of a map: 2^10 steps for each one of its 8-bit integers
CHUNK = 1 << 19  # factors that are in work at a time: they stay in the cache


def on_grid(values: np.ndarray, bits: int, axis: int | None = None) -> np.ndarray:
    """`values` rounded to multiples of a power of two, so that the largest (along `axis`) takes `bits` bits; same dtype."""
    peak = np.abs(values).max(axis=axis, keepdims=True, initial=0.0)
    unit = np.ldexp(np.ones_like(peak), np.frexp(peak)[1] - bits)
    return np.rint(values / unit) * unit


def spare_bits(terms: int, *taken: int) -> int:
    """Bits that are left for one factor where sums of `terms` products are to be exact; the others take `taken` bits."""
    return FLOAT64_BITS - math.ceil(math.log2(max(terms, 1))) - sum(taken)


def bits_of(integers: np.ndarray) -> int:
    """Bits of the largest magnitude."""
    return max(int(integers.max(initial=0)), -int(integers.min(initial=0))).bit_length()


def product(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """x (P, K) on a grid of VALUE_BITS, weight (K, O) -> x @ weight, float64 (P, O), the weight rounded to its grid."""
    return _times(x, _gridded(weight))


def _gridded(weight: np.ndarray) -> np.ndarray:
    """weight (K, O), float64 on its grid."""
    return on_grid(weight.astype(np.float64), spare_bits(len(weight), VALUE_BITS), axis=0)


def _times(x: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """x (P, K) times a gridded weight, some rows at a time."""
    y = np.empty((len(x), grid.shape[1]))
    step = max(1, CHUNK // max(1, len(grid)))
    for start in range(0, len(x), step):
        np.matmul(x[start : start + step].astype(np.float64), grid, out=y[start : start + step])
    return y


def forward(node: Node, inputs: tuple[Any, ...], recorded: bool) -> np.ndarray:
    """What a node of a fused graph computes, float32 on a grid of VALUE_BITS. The maps that it reads are on theirs.

    recorded: each result is normalised as its BatchNorm recorded it.
    """
    op = node.op
    if isinstance(op, Fused):
        value = op.finish(_linear(op.linear, inputs[0]).astype(np.float32), *inputs[1:], recorded=recorded)
    else:
        value = op.reference(*inputs)
    return on_grid(value.astype(np.float32), VALUE_BITS)


def _linear(layer: Conv | PenniConv | Linear | Scale, x: np.ndarray) -> np.ndarray:
    """x (N, H, W, C) -> (N, Ho, Wo, C_out), the bias added."""
    if isinstance(layer, Scale):
        return layer.reference(x)
    if isinstance(layer, Linear):
        y = product(x.reshape(len(x), -1), layer.by_pixel.T)
    else:
        step = max(1, CHUNK // (layer.out_spec.pixels * layer.window.taps * layer.x.shape[2]))
        chunks = [x[start : start + step] for start in range(0, len(x), step)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            y = np.concatenate(list(pool.map(partial(_convolution, layer, sums_of(layer)), chunks)))
    if layer.bias is not None:
        y = y + layer.bias
    return y.reshape(len(x), *layer.out_spec.shape)


def _convolution(conv: Conv | PenniConv, sums: Sums, x: np.ndarray) -> np.ndarray:
    """x (n, H, W, C) -> float32 (n*Ho*Wo, C_out), without bias."""
    return sums(list(conv.window.seen(x, 0.0, np.dtype(np.float64)))).astype(np.float32)


def sums_of(conv: Conv | PenniConv) -> Sums:
    """What gives the sums of a convolution, without bias: its taps, float64 (..., C) on a grid -> float64 (p, C_out)."""
    if isinstance(conv, PenniConv) and conv.groups == 1 and conv.window.taps > 1:
        return _factored(conv)
    grids = [
        _gridded(block.transpose(2, 3, 1, 0).reshape(-1, len(block))) for block in np.split(conv.dense, conv.groups)
    ]

    def sums(taps: Sequence[np.ndarray]) -> np.ndarray:
        flat = [tap.reshape(-1, len(grids), tap.shape[-1] // len(grids)) for tap in taps]
        grouped = np.stack(flat, axis=1)
        parts = [_times(grouped[:, :, g].reshape(len(grouped), -1), grid) for g, grid in enumerate(grids)]
        return np.concatenate(parts, axis=1)

    return sums


def _factored(conv: PenniConv) -> Sums:
    """First the bases of each channel, rounded to their grid, then those of them that some coefficient reads."""
    d = len(conv.basis)
    basis = on_grid(conv.basis.reshape(d, -1).astype(np.float64), spare_bits(conv.window.taps, VALUE_BITS))
    used = [np.flatnonzero(conv.coefs[:, :, b].any(axis=0)) for b in range(d)]
    coefs = np.concatenate([conv.coefs[:, channels, b].T for b, channels in enumerate(used)]).astype(np.float64)
    half = spare_bits(len(coefs)) // 2  # of each factor
    coefs = on_grid(coefs, half, axis=0)

    def sums(taps: Sequence[np.ndarray]) -> np.ndarray:
        z = (weighted(taps, kernel).reshape(-1, taps[0].shape[-1]) for kernel in basis)
        read = np.concatenate([plane.take(channels, axis=1) for plane, channels in zip(z, used)], axis=1)
        return on_grid(read, half) @ coefs

    return sums
