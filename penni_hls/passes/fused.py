"""Layers between the float layers and the integer operators: each is what one requantizer computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ir.graph import Node
from ..ir.layers import Conv, Linear, MapSpec, PenniConv
from ..ir.layers.base import FloatLayer


@dataclass(frozen=True, eq=False)
class Recorded:
    """Mean and standard deviation of a result before skip and ReLU, as recorded by its BatchNorm; float32 (C_out,)."""

    mean: np.ndarray
    std: np.ndarray


@dataclass(frozen=True, eq=False)
class Fused(FloatLayer):
    """A convolution or linear layer, then the skip addition where there is one, then the bounds that are given.

    ReLU is the lower bound 0, ReLU6 has 6 as its upper bound too.
    """

    linear: Conv | PenniConv | Linear
    skip: bool = False
    lo: float | None = None
    hi: float | None = None
    recorded: Recorded | None = None

    @property
    def relu(self) -> bool:
        """No result is negative."""
        return self.lo is not None and self.lo >= 0

    @property
    def in_specs(self) -> tuple[MapSpec, ...]:
        return (*self.linear.in_specs, self.out_spec) if self.skip else self.linear.in_specs

    @property
    def out_spec(self) -> MapSpec:
        return self.linear.out_spec

    def reference(self, x: np.ndarray, skip: np.ndarray | None = None) -> np.ndarray:
        """x (N, H, W, C_in), skip (N, Ho, Wo, C_out) -> (N, Ho, Wo, C_out) float32."""
        return self._finish(self.linear.reference(x), skip)

    def reference_as_recorded(self, x: np.ndarray, skip: np.ndarray | None = None) -> np.ndarray:
        """The same with each channel normalised over this batch to the mean and deviation its BatchNorm recorded."""
        y = self.linear.reference(x)
        if self.recorded is not None:
            std = y.std(axis=(0, 1, 2))
            gain = np.divide(self.recorded.std, std, out=np.zeros_like(std), where=std > 0)
            y = (y - y.mean(axis=(0, 1, 2))) * gain + self.recorded.mean
        return self._finish(y, skip)

    def _finish(self, y: np.ndarray, skip: np.ndarray | None) -> np.ndarray:
        if skip is not None:
            y = y + skip
        return y if self.lo is None and self.hi is None else np.clip(y, self.lo, self.hi)


def as_recorded(node: Node, inputs: tuple[Any, ...]) -> np.ndarray:
    """What a node of a fused graph computes, with each result normalised as its BatchNorm recorded it."""
    run = node.op.reference_as_recorded if isinstance(node.op, Fused) else node.op.reference
    return run(*inputs)
