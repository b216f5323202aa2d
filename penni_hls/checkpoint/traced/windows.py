"""The windows of a convolution or pooling, as the calls of a file give them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...ir.layers import MapSpec
from ...ir.windows import Pair, Sides, Window, short
from .fold import integers
from .program import PADDINGS, Call
from .walk import refuse

MAX_WINDOW = 256  # rows and columns of a window, of its stride and of its padding


def pair(call: Call, what: str, value: Any) -> tuple[int, int]:
    """One number for rows and columns, or one for each."""
    numbers = integers(value)
    if len(numbers) not in (1, 2):
        raise refuse(call, f"its {what} is {list(numbers)}; one number for rows and one for columns are needed")
    return numbers[0], numbers[-1]


def unpadded(args: Mapping[str, Any]) -> bool:
    pad = args.get("pad", 0)
    return pad == "valid" if isinstance(pad, str) else set(integers(pad)) == {0}


def sizes(window: Window) -> tuple[Pair, Pair, Sides]:
    """kernel, stride and padding as a layer takes them."""
    return short(window.kernel), short(window.stride), short(window.pads)  # type: ignore[return-value]


def dilated_kernel(call: Call, kernel: tuple[int, ...], dilation: tuple[int, int]) -> tuple[int, int]:
    """The size of a kernel whose taps are so far apart."""
    if min(dilation) < 1:
        raise refuse(call, f"its dilation is {list(dilation)}; it must be positive")
    rows, columns = ((k - 1) * step + 1 for k, step in zip(kernel, dilation))
    return rows, columns


def dilated(kernels: np.ndarray, dilation: tuple[int, int]) -> np.ndarray:
    """kernels (..., kh, kw) with zeros between their taps; same dtype.

    What that costs: row buffers and columns read for the larger kernel; no sums, since a tap that is 0 everywhere is
    left out of the hardware. Only a depthwise convolution multiplies the zeros too.
    """
    if dilation == (1, 1):
        return kernels
    down, right = dilation
    rows, columns = ((k - 1) * step + 1 for k, step in zip(kernels.shape[-2:], dilation))
    spread = np.zeros((*kernels.shape[:-2], rows, columns), kernels.dtype)
    spread[..., ::down, ::right] = kernels
    return spread


def windows(
    call: Call, kernel: tuple[int, int], stride: tuple[int, int], pad: Any, margins: tuple[int, ...], spec: MapSpec
) -> Window:
    """pad: 1, 2 (rows, columns) or 4 numbers (top, left, bottom, right), or one of PADDINGS. margins: more padding, on
    each side, which the call does not know of."""
    if min(*kernel, *stride) < 1 or max(*kernel, *stride) > MAX_WINDOW:
        text = (
            f"a {kernel[0]}x{kernel[1]} window with stride {short(stride)}: sizes from 1 to {MAX_WINDOW} are supported"
        )
        raise refuse(call, text)
    pads = tuple(a + b for a, b in zip(_pads(call, kernel, stride, pad, margins, spec), margins))
    if min(pads) < 0 or max(pads) > MAX_WINDOW:
        raise refuse(call, f"its padding is {list(pads)}; 0 to {MAX_WINDOW} on each side are supported")
    window = Window(kernel, stride, pads)
    if not window.fits(spec.shape):
        text = f"a {window}, does not fit a {spec.shape[0]}x{spec.shape[1]} map; make it smaller, or pad the map"
        raise refuse(call, text)
    return window


def _pads(
    call: Call, kernel: tuple[int, int], stride: tuple[int, int], pad: Any, margins: tuple[int, ...], spec: MapSpec
) -> tuple[int, ...]:
    if pad == "valid":
        return 0, 0, 0, 0
    if isinstance(pad, str):  # as many rows out as in, divided by the stride
        if pad not in PADDINGS:
            raise refuse(call, f"its padding '{pad}' is not supported; give numbers")
        before, after = [], []
        for axis, length in enumerate(spec.shape[:2]):
            length += margins[axis] + margins[axis + 2]
            total = max((math.ceil(length / stride[axis]) - 1) * stride[axis] + kernel[axis] - length, 0)
            smaller, larger = total // 2, total - total // 2
            before.append(larger if pad == "same_lower" else smaller)
            after.append(smaller if pad == "same_lower" else larger)
        return *before, *after
    numbers = integers(pad)
    if len(numbers) not in (1, 2, 4):
        raise refuse(
            call, f"its padding is {list(numbers)}; one number, one for each axis or one for each side is needed"
        )
    return numbers * (4 // len(numbers))


def rounded_up(window: Window, spec: MapSpec) -> Window:
    """The windows that `ceil_mode` gives: of those that begin within the map, also the ones that end beyond it."""
    pads = list(window.pads)
    for axis, length in enumerate(spec.shape[:2]):
        kernel, stride, near = window.kernel[axis], window.stride[axis], window.pads[axis]
        count = -(-(length + near + window.pads[axis + 2] - kernel) // stride) + 1
        if (count - 1) * stride >= length + near:
            count -= 1
        pads[axis + 2] = max(pads[axis + 2], (count - 1) * stride + kernel - length - near)
    return Window(window.kernel, window.stride, (pads[0], pads[1], pads[2], pads[3]))
