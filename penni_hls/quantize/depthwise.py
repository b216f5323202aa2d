"""A depthwise convolution: what its operator multiplies, and samples of it, channel by channel.

One channel's sum has kh*kw terms only, so each channel is fitted alone. Coefficients and bases that give the weight are
multiplied out: kh*kw multiplications per value are fewer than d basis maps cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from ..ir.fixed import QType, Requant
from ..ir.graph import Node, TensorSpec
from ..ir.layers import Conv, Linear, PenniConv, Scale
from ..ir.ops import DepthwiseConv
from ..ir.windows import short
from ..passes.fused import Fused
from .coefficients import Moments, moments
from .edge import Edge
from .front import widened, windows_of


@dataclass(frozen=True, eq=False)
class Depthwise:
    """The counterpart of Front. taps: integers (P, kh*kw, C); target: float sums (P, C) without bias; start: float64
    (C, kh*kw), the coefficients in units of the taps."""

    conv: Conv | PenniConv
    edge: Edge
    taps: np.ndarray
    target: np.ndarray
    start: np.ndarray

    nodes: ClassVar[tuple[Node, ...]] = ()
    part: ClassVar[str] = "depthwise"

    @property
    def read(self) -> str:
        return self.edge.name

    @cached_property
    def moments(self) -> tuple[Moments, ...]:
        """One block per channel."""
        return tuple(
            moments(self.start[c : c + 1], self.taps[:, :, c], self.target[:, c : c + 1])
            for c in range(len(self.start))
        )

    def operator(self, coefs: np.ndarray, coef_type: QType, requant: Requant, skip: TensorSpec | None) -> DepthwiseConv:
        """coefs: int64 (C, kh*kw). skip: None."""
        wide = widened(self.conv)
        stride, pads = short(wide.window.stride), short(wide.window.pads)
        pad_value = self.edge.quantize(np.zeros(len(coefs))).astype(np.int64)
        kernels = wide.embed(coefs.reshape(-1, *self.conv.window.kernel))
        return DepthwiseConv(self.edge.spec, kernels, coef_type, requant, stride, pads, pad_value)


def is_depthwise(op: Fused) -> bool:
    """Does the depthwise operator compute it? It has neither a skip input nor several outputs per channel."""
    layer = op.linear
    if isinstance(layer, Linear | Scale) or op.skip or layer.window.taps == 1:
        return False
    return layer.groups == layer.channels == layer.x.shape[2]


def depthwise_of(conv: Conv | PenniConv, read: Edge, x: np.ndarray) -> Depthwise:
    """x: the float map on the edge `read`, (N, H, W, C)."""
    windows = windows_of(conv, x)
    weight = conv.dense.reshape(conv.channels, -1)
    start = weight.astype(np.float64) * read.scale[:, None]
    return Depthwise(
        conv, read, read.quantize(windows), np.einsum("ptc,ct->pc", windows, weight, dtype=np.float64), start
    )
