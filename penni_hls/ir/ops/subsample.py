"""subsample: y[p, o] = x[p*stride, o - offset], 0 where that channel does not exist.

The parameter-free shortcut of CIFAR ResNets ("option A"), and the stride of a 1x1 convolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...target.resources import Resources
from ..fixed import IntTensor
from ..graph import TensorSpec
from .base import Folding, Operator
from .timing import Stage, Step, Timing


@dataclass(frozen=True)
class Subsample(Operator):
    """x: the map read. channels: of the result; `offset` zero channels come before those of x."""

    x: TensorSpec
    stride: int
    channels: int
    offset: int

    kind: ClassVar[str] = "subsample"

    def __post_init__(self) -> None:
        if self.stride < 1 or self.offset < 0 or self.offset + self.x.shape[2] > self.channels:
            raise ValueError(
                f"subsample: {self.x.shape[2]} channels at {self.offset} of {self.channels}, stride {self.stride}"
            )

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return (self.x,)

    @property
    def out_spec(self) -> TensorSpec:
        h, w, _ = self.x.shape
        return TensorSpec((-(-h // self.stride), -(-w // self.stride), self.channels), self.x.qtype)

    def reference(self, x: IntTensor) -> IntTensor:
        """x (N, H, W, C) -> (N, ceil(H/stride), ceil(W/stride), channels)."""
        self.check_input(x)
        kept = x.values[:, :: self.stride, :: self.stride]
        after = self.channels - self.offset - self.x.shape[2]
        return IntTensor(np.pad(kept, ((0, 0), (0, 0), (0, 0), (self.offset, after))), x.qtype)

    def timing(self, folding: Folding) -> Timing:
        """Zero channels between the values of two kept pixels leave while the values between them are dropped."""
        (h, w, c), (ho, wo, channels) = self.x.shape, self.out_spec.shape
        between, zeros, s = (self.stride - 1) * c, channels - c, self.stride
        taken, given = wo * c + (wo - 1) * between, wo * c + (wo - 1) * zeros
        row = Step(wo * c + (wo - 1) * max(between, zeros), (("in", taken),), (("out", given),))
        runs: list[tuple[int, Step]] = [(1, Step(self.offset, gives=(("out", self.offset),)))] if self.offset else []
        for index in range(ho):
            last = index == ho - 1
            left = zeros - self.offset if last else zeros
            dropped = (w - 1 - (wo - 1) * s) * c + (h - 1 - index * s if last else s - 1) * w * c
            runs += [
                (1, row),
                (int(dropped + left > 0), Step(max(dropped, left), (("in", dropped),), (("out", left),))),
            ]
        return Timing((Stage("walk", tuple(runs)),))

    def cost(self, folding: Folding) -> Resources:
        h, w, c = self.x.shape
        bits = sum(n.bit_length() for n in (h, w, c - 1, self.channels, self.stride, self.stride))
        return Resources(lut=bits + self.x.qtype.bits, ff=bits + 1)

    def parameters(self, folding: Folding) -> dict[str, int]:
        h, w, c = self.x.shape
        return {
            "H": h, "W": w, "C": c, "STRIDE": self.stride, "CO": self.channels, "OFFSET": self.offset,
            "XW": self.x.qtype.bits,
        }  # fmt: skip
