"""The scale of an activation: the real value of one step of its integer type."""

from __future__ import annotations

import numpy as np

from ..ir.fixed import QType

SAMPLES = 1 << 17
CLIPS = tuple(2.0 ** (-i / 8) for i in range(17))  # of the largest value: 1 down to 1/4


def activation_scale(values: np.ndarray, qtype: QType) -> float:
    """values float, any shape -> the step with the least mean square error, rounding and saturation included."""
    flat = values.ravel()
    flat = flat[:: -(-flat.size // SAMPLES)].astype(np.float64)
    peak = float(max(flat.max() / qtype.hi, flat.min() / qtype.lo if qtype.lo else 0.0))
    if peak <= 0:
        return 1.0 / qtype.hi
    errors = []
    for clip in CLIPS:
        step = peak * clip
        errors.append(float(np.square(np.clip(np.rint(flat / step), qtype.lo, qtype.hi) * step - flat).mean()))
    return steady(peak * CLIPS[int(np.argmin(errors))])


def steady(scale: float) -> float:
    """`scale` rounded up to 12 significant bits: float sums differ between machines in their last bits."""
    mantissa, exponent = np.frexp(scale)
    return float(np.ldexp(np.ceil(mantissa * 4096) / 4096, exponent))
