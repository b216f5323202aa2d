"""A traced network: a list of calls over a small vocabulary, the same for torch.export programs and for ONNX.

A reader of a form translates its file into a `Program`; `build.build` makes the layers of it. Nothing here knows
where a call came from, beyond what errors and names need.

Vocabulary (arguments by name; x, y and weights are values, all else numbers, tuples of numbers, or constant values):

    conv        x, weight, bias, stride, pad, dilation, groups     pad: 1, 2 or 4 numbers, or one of PADDINGS
    batch_norm  x, gamma, beta, mean, var, eps
    relu        x
    clip        x, lo, hi                                          lo, hi: numbers; None where there is no bound
    minimum     x, y                                               one of them a number; maximum likewise
    add         x, y, alpha                                        alpha: a factor of y, 1 where absent
    sub         x, y, alpha                                        likewise
    mul         x, y                                               of maps, only with constants; div likewise
    concat      xs, axis
    linear      x, weight (O, F), bias
    matmul      x, y
    max_pool    x, kernel, stride, pad, dilation, ceil
    avg_pool    x, kernel, stride, pad, ceil, include              include: zeros outside the map are counted
    adaptive    x, size, max                                       pooling to a map of this size, of the mean or the maximum
    upsample    x, scales, sizes, axes, transformation, rounding   scales or sizes None; the last two: see resize
    last        x, axis                                            softmax and the like, which the end may leave out
    mean        x, axes, keep, max                                 axes None: all but batch and channels; max: the maximum
    reshape     x, shape, zero_copies                              zero_copies: a 0 keeps the length that x has there
    flatten     x, start, end
    squeeze     x, axes                                            axes None: all of length 1
    unsqueeze   x, axes
    unflatten   x, axis, sizes
    gather      x, indices, axis                                   of maps: the only row or column
    slice       x, starts, ends, axes, steps
    pad         x, pads, value, axes                               pads: all that come before, then all after
    identity    x
    shape       x, start, end
    size        x, axis
    on constants only: transpose (x, perm), gather (x, indices, axis), cast (x, to),
    full (shape, value), expand (x, shape)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...data import CIFAR10_MEAN, CIFAR10_STD
from ...errors import CheckpointError

SUPPORTED = (
    "convolution, BatchNorm, ReLU, ReLU6, clip, addition and subtraction, products with constants, concatenation of"
    " channels, max and average pooling,"
    " nearest-neighbour upsampling, flatten, linear layers and the shortcut of strided slice and zero channels"
)
PADDINGS = ("valid", "same", "same_lower")
OPEN_BATCH = 9973  # stands for a batch size that the file leaves open: a prime, so that nothing else is mistaken for it
MAX_CALLS = 50_000
MAX_SIDE = 4096
MAX_CHANNELS = 1 << 16


@dataclass(frozen=True)
class Ref:
    """A value of the program, by name."""

    name: str


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor of the file, or computed from such: float32 or int64.

    name: what the file calls it, as `layer1.0.conv1.weight`, "" where it has no name of its own.
    factors: coefs (rows, d) and basis (d, taps) where the array is their product, in whatever shape.
    """

    array: np.ndarray
    name: str = ""
    factors: tuple[Constant, Constant] | None = None


@dataclass(frozen=True, eq=False)
class Call:
    """One operation. args: numbers, tuples, None, and Ref for values (also within tuples).

    what, label: the operation, `aten.conv2d`, and the node, as the file calls them. kind: what the network's author
    called the operation, `nn.Conv2d`, "" where the file does not say. module: the path of the module that made the call,
    "" for the network itself, None where the file does not say. overwrites: the value that the result replaces in place.
    """

    op: str
    output: str
    args: Mapping[str, Any]
    what: str
    label: str = ""
    module: str | None = None
    overwrites: str | None = None
    kind: str = ""

    @property
    def where(self) -> str:
        """The layer and its operation, in the words of the network's author where they are known."""
        if self.kind and self.module:
            return f"{self.module} ({self.kind})"
        name = self.kind or self.what
        return f"{self.label} ({name})" if self.label and self.label != name else name


@dataclass(frozen=True, eq=False)
class Program:
    """shape: (C, H, W) of one image. batch: images at once, OPEN_BATCH where any number."""

    input: str
    shape: tuple[int, int, int]
    batch: int
    output: str
    calls: tuple[Call, ...]
    constants: Mapping[str, Constant] = field(default_factory=dict)


def printable(text: str, most: int = 160) -> str:
    """Text of a file as part of a message: one line, of bounded length."""
    line = "".join(c if c.isprintable() else "?" for c in text)
    return line if len(line) <= most else f"{line[:most]}..."


def check_input(name: str, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(C, H, W) of `shape` (N, C, H, W), where it is one of images."""
    if len(shape) != 4 or min(shape) < 1:
        raise CheckpointError(f"its input {printable(name)} has shape {list(shape)}; images (N, C, H, W) are needed")
    if max(shape[2:]) > MAX_SIDE or shape[1] > MAX_CHANNELS:
        raise CheckpointError(f"its input {printable(name)} has shape {list(shape)}: larger than supported")
    return shape[1], shape[2], shape[3]


def check_finite(name: str, values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise CheckpointError(f"{printable(name)} holds NaN or infinite values")
    return values


def normalisation(
    channels: int, mean: tuple[float, ...] | None, std: tuple[float, ...] | None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """mean and std of the pixels; None: CIFAR-10's for three channels, else 0 and 1."""
    usual = (CIFAR10_MEAN, CIFAR10_STD) if channels == 3 else ((0.0,) * channels, (1.0,) * channels)
    return tuple(usual[0] if mean is None else mean), tuple(usual[1] if std is None else std)
