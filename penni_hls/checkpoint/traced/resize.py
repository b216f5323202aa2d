"""Resizing of maps: where it repeats each pixel a whole number of times, an Upsample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np

from ...ir.layers import Upsample
from .fold import array, axes_of
from .program import MAX_SIDE, Call
from .walk import Value, Walk, refuse

# ONNX: where the centre of an output pixel lies in the input. o: the output pixel; s: the factor; n: pixels of the input.
TRANSFORMATIONS: Mapping[str, Callable[[int, int, int], Fraction]] = {
    "asymmetric": lambda o, s, n: Fraction(o, s),
    "half_pixel": lambda o, s, n: Fraction(2 * o + 1, 2 * s) - Fraction(1, 2),
    "half_pixel_symmetric": lambda o, s, n: Fraction(2 * o + 1, 2 * s) - Fraction(1, 2),
    "pytorch_half_pixel": lambda o, s, n: Fraction(2 * o + 1, 2 * s) - Fraction(1, 2),
    "tf_half_pixel_for_nn": lambda o, s, n: Fraction(2 * o + 1, 2 * s),
    "align_corners": lambda o, s, n: Fraction(o * (n - 1), n * s - 1),
}
ROUNDINGS: Mapping[str, Callable[[Fraction], int]] = {
    "floor": floor,
    "ceil": ceil,
    "round_prefer_floor": lambda v: ceil(v - Fraction(1, 2)),
    "round_prefer_ceil": lambda v: floor(v + Fraction(1, 2)),
}


def upsample(walk: Walk, call: Call, args: Mapping[str, Any]) -> Value:
    """scales or sizes: of the axes, or where these are None, of the last ones (x has a batch axis too)."""
    x, spec = walk.map_of(args["x"], call)
    have = (walk.batch, *x.shape)
    kind = "scales" if args.get("scales") is not None else "sizes"
    if args.get(kind) is None:
        raise refuse(call, "neither a factor nor a size is given")
    given = np.asarray(array(args[kind]), np.float64).reshape(-1)
    axes = axes_of(range(4 - len(given), 4) if args.get("axes") is None else args["axes"], 4)
    factors = np.ones(4)
    for axis, value in zip(axes, given, strict=True):
        factors[axis] = value if kind == "scales" else value / have[axis]
    factor = int(factors[2]) if 1 <= factors[2] * max(spec.shape[:2]) <= MAX_SIDE else 0
    if factor < 1 or factors.tolist() != [1, 1, factor, factor]:
        text = f"it resizes a {spec} map by {'x'.join(f'{value:g}' for value in factors)} (N, C, H, W)"
        raise refuse(call, f"{text}; only one whole factor for rows and columns is supported")
    for side in spec.shape[:2]:
        _check_repeats(call, str(args["transformation"]), str(args["rounding"]), factor, side)
    return x if factor == 1 else walk.add_layer(Upsample(spec, factor), (x,), "upsample", call)


def _check_repeats(call: Call, transformation: str, rounding: str, factor: int, side: int) -> None:
    """CallError unless these settings take output pixel o from input pixel o // factor."""
    place, nearest = TRANSFORMATIONS.get(transformation), ROUNDINGS.get(rounding)
    if place is not None and nearest is not None:
        outputs = range(factor * side if factor * side > 1 else 0)
        if all(min(max(nearest(place(o, factor, side)), 0), side - 1) == o // factor for o in outputs):
            return
    raise refuse(call, f"coordinates '{transformation}' with '{rounding}' do not repeat each pixel {factor} times here")
