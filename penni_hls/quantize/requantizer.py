"""The integers of a requantizer: coefficients, multipliers, biases and the shift."""

from __future__ import annotations

import math

import numpy as np

from ..ir.fixed import BIAS, MULTIPLIER, QType, Requant, SignedRequant
from ..ir.layers import Scale
from ..ir.ops import Affine
from .coefficients import fit, row_scales
from .depthwise import Depthwise
from .edge import Edge
from .front import Front

MAX_SHIFT = 47
PRECISE = (
    1 << 12
) - 1  # the largest multiplier of sums: coefficients are fitted to it, and with its bias it fits 36 bits


def fitted(
    name: str,
    front: Front | Depthwise,
    bias: np.ndarray | None,
    coef_type: QType,
    out: QType,
    step: float,
    skip_step: float,
) -> tuple[np.ndarray, Requant]:
    """Coefficients and requantizer: y = (r*acc + skip + bias) / step with r = M * step / 2^S for each row.

    M is rounded first and the coefficients are fitted to the resulting scale, so M adds no error of its own.
    skip_step: the step of the skip connection; 0 where there is none.
    """
    blocks = front.moments
    added = np.zeros(len(front.start)) if bias is None else bias.astype(np.float64)
    wanted = np.concatenate([row_scales(m, coef_type) for m in blocks])
    target_mean = np.concatenate([m.target_mean for m in blocks])
    estimate = added + target_mean - np.concatenate([(m.start * m.mean).sum(axis=1) for m in blocks])
    most = 2 * float(np.abs(estimate).max())
    shift = _shift(name, float(wanted.max()) / step, skip_step / step, most / step, PRECISE)
    multiplier = np.ceil(wanted / step * 2.0**shift).clip(0, PRECISE)
    scale = multiplier * step / 2.0**shift
    ends = np.cumsum([len(m.start) for m in blocks])[:-1]
    parts = [fit(m, unit, coef_type) for m, unit in zip(blocks, np.split(scale, ends))]
    coefs = np.concatenate(parts)
    multiplier *= coefs.any(axis=1)
    means = np.concatenate([(part * m.mean).sum(axis=1) for m, part in zip(blocks, parts)])
    offset = added + target_mean - means * scale
    rounded_bias = np.rint(offset / step * 2.0**shift).clip(BIAS.lo, BIAS.hi)
    skip_multiplier = _skip_multiplier(name, skip_step / step, shift)
    return coefs, Requant(multiplier.astype(np.int64), rounded_bias.astype(np.int64), shift, out, skip_multiplier)


def affine(name: str, layer: Scale, read: Edge, x: np.ndarray, skip: Edge | None, out: QType, step: float) -> Affine:
    """x: the float map on the edge `read`, (N, H, W, C). The bias is such that the results' means are right: so the
    value of a channel that does not vary is, however large its gain.

    A gain at which one step of x spans all results, or half of them where they have 16 bits, is not exceeded.
    """
    skip_step = 0.0 if skip is None else skip.step
    most = min(out.hi - out.lo, MULTIPLIER.hi // 2)
    gain = (layer.gain * read.scale / step).clip(-most, most)
    mean = read.quantize(x).mean(axis=(0, 1, 2), dtype=np.float64)
    target = (x.mean(axis=(0, 1, 2), dtype=np.float64) * layer.gain + layer.offset) / step
    shift = _shift(name, float(np.abs(gain).max()), skip_step / step, 2 * float(np.abs(target - gain * mean).max()))
    multiplier = np.rint(gain * 2.0**shift).clip(-MULTIPLIER.hi, MULTIPLIER.hi)
    bias = np.rint(target * 2.0**shift - multiplier * mean).clip(BIAS.lo, BIAS.hi)
    skip_multiplier = _skip_multiplier(name, skip_step / step, shift)
    requant = SignedRequant(multiplier.astype(np.int64), bias.astype(np.int64), shift, out, skip_multiplier)
    return Affine(read.spec, requant, None if skip is None else skip.spec)


def _skip_multiplier(name: str, scale: float, shift: int) -> int:
    multiplier = round(scale * 2.0**shift)
    if scale and not multiplier:
        raise ValueError(
            f"{name}: the map that it adds is too small beside its own results to count; leave that addition out"
        )
    return multiplier


def _shift(name: str, multiplier: float, skip: float, bias: float, most: int = MULTIPLIER.hi) -> int:
    """The largest shift at which every constant still fits its width. most: of a multiplier."""
    fits = MAX_SHIFT
    for value, limit in ((multiplier, most), (skip, MULTIPLIER.hi), (bias, BIAS.hi)):
        if value > 0:
            fits = min(fits, math.floor(math.log2(limit / value)))
    if fits < 1:
        raise ValueError(
            f"{name}: its results and what it reads, or its bias, differ by too many orders of magnitude for 16-bit"
            " multipliers; check its weights and its BatchNorm for values that are far too large or too small"
        )
    return fits
