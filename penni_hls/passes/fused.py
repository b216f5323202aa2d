"""Layers between the float layers and the integer operators: each is what one requantizer computes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir.layers import Conv, Linear, MapSpec, PenniConv, Scale
from ..ir.layers.base import FloatLayer

ROUNDING = 1e-5  # of float32 sums, against the largest of them


@dataclass(frozen=True, eq=False)
class Recorded:
    """Mean and standard deviation of a result before skip and ReLU, as recorded by its BatchNorm; float32 (C_out,)."""

    mean: np.ndarray
    std: np.ndarray


@dataclass(frozen=True, eq=False)
class Fused(FloatLayer):
    """A convolution, linear layer or Scale, then the skip addition where there is one, then the bounds that are given.

    ReLU is the lower bound 0, ReLU6 has 6 as its upper bound too.
    """

    linear: Conv | PenniConv | Linear | Scale
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
        return self.finish(self.linear.reference(x), skip)

    def finish(self, y: np.ndarray, skip: np.ndarray | None = None, recorded: bool = False) -> np.ndarray:
        """What follows `linear`, whose result is y. recorded: each channel of y is first normalised over this batch to
        the mean and deviation that its BatchNorm recorded."""
        if recorded and self.recorded is not None:
            std = y.std(axis=(0, 1, 2))
            # Where all values are alike, what differs is their rounding.
            alive = std > np.abs(y).max(axis=(0, 1, 2)) * ROUNDING
            gain = np.divide(self.recorded.std, std, out=np.zeros_like(std), where=alive)
            y = (y - y.mean(axis=(0, 1, 2))) * gain + self.recorded.mean
        if skip is not None:
            y = y + skip
        return y if self.lo is None and self.hi is None else np.clip(y, self.lo, self.hi)


def identity(x: MapSpec, lo: float | None = None, hi: float | None = None) -> Fused:
    """What gives a map another scale, another type or bounds."""
    return Fused(Scale.of(x), lo=lo, hi=hi)
