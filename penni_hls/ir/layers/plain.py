"""The layers that are no convolutions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from ..windows import Pair, Sides, Window
from .base import FloatLayer, MapSpec, OneMap, columns, windowed
from .count import Count, LayerCount

MOST_PIXEL = 1e6  # of means and deviations: pixels are scaled to 0..1


@dataclass(frozen=True, eq=False)
class Input(FloatLayer):
    """Raw pixels 0..255 normalised: (pixel / 255 - mean) / std. mean, std: one number per channel."""

    spec: MapSpec
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.mean) == len(self.std) == self.spec.shape[2]:
            raise ValueError(
                f"the images have {self.spec.shape[2]} channels: mean and std need as many values, not"
                f" {len(self.mean)} and {len(self.std)}"
            )
        for what, values, least in (("mean", self.mean, -MOST_PIXEL), ("standard deviation", self.std, 1 / MOST_PIXEL)):
            wrong = [value for value in values if not least <= value <= MOST_PIXEL]
            if wrong:
                raise ValueError(f"input: a {what} of {wrong[0]}; it must lie between {least:g} and {MOST_PIXEL:g}")

    @property
    def in_specs(self) -> tuple[MapSpec, ...]:
        return ()

    @property
    def out_spec(self) -> MapSpec:
        return self.spec

    def reference(self, images: np.ndarray) -> np.ndarray:
        """images (N, H, W, C) uint8 -> float32."""
        mean, std = (np.asarray(v, np.float32) for v in (self.mean, self.std))
        return (images.astype(np.float32) / np.float32(255) - mean) / std


@dataclass(frozen=True, eq=False)
class Linear(OneMap):
    """A matrix over the whole map, flattened as torch does, (C, H, W). weight: float32 (O, C*H*W); bias: (O,)."""

    weight: np.ndarray
    bias: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.weight.shape[1] != math.prod(self.x.shape):
            raise ValueError(f"linear: weight {self.weight.shape} does not go with a {self.x} map")

    @property
    def out_spec(self) -> MapSpec:
        return MapSpec((1, 1, self.weight.shape[0]))

    @cached_property
    def by_pixel(self) -> np.ndarray:
        """The weight with its columns in the order of streams: (O, H*W*C)."""
        h, w, c = self.x.shape
        return np.ascontiguousarray(
            self.weight.reshape(-1, c, h, w).transpose(0, 2, 3, 1).reshape(len(self.weight), -1)
        )

    @property
    def count(self) -> Count:
        outputs, inputs = self.weight.shape
        layer = LayerCount(
            inputs=inputs,
            outputs=outputs,
            kernel=(1, 1),
            pixels=1,
            dense=self.weight.size,
            nonzero=int(np.count_nonzero(self.weight)),
        )
        return Count((layer,), 0 if self.bias is None else len(self.bias))

    def reference(self, x: np.ndarray) -> np.ndarray:
        """x (N, H, W, C) -> (N, 1, 1, O) float32."""
        y = x.reshape(len(x), -1) @ self.by_pixel.T
        if self.bias is not None:
            y = y + self.bias
        return y.reshape(len(x), 1, 1, -1)


@dataclass(frozen=True, eq=False)
class BatchNorm(OneMap):
    """(x - mean) / sqrt(var + eps) * gamma + beta; each float32 (C,)."""

    gamma: np.ndarray
    beta: np.ndarray
    mean: np.ndarray
    var: np.ndarray
    eps: float = 1e-5

    def __post_init__(self) -> None:
        if any(v.shape != (self.x.shape[2],) for v in (self.gamma, self.beta, self.mean, self.var)):
            raise ValueError(f"batch norm: four vectors of {self.x.shape[2]} are needed")

    @property
    def count(self) -> Count:
        return Count(other=self.gamma.size + self.beta.size)

    @cached_property
    def scale(self) -> np.ndarray:
        """What a channel is multiplied by: float64 (C,)."""
        return self.gamma.astype(np.float64) / np.sqrt(self.var.astype(np.float64) + self.eps)

    @cached_property
    def offset(self) -> np.ndarray:
        """What is then added: float64 (C,)."""
        return self.beta - self.mean * self.scale

    def reference(self, x: np.ndarray) -> np.ndarray:
        y = x * self.scale.astype(np.float32)
        y += self.offset.astype(np.float32)
        return y


@dataclass(frozen=True)
class Relu(OneMap):
    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.maximum(x, np.float32(0))


@dataclass(frozen=True)
class Add(OneMap):
    """The sum of two maps of the same shape."""

    @property
    def in_specs(self) -> tuple[MapSpec, ...]:
        return (self.x, self.x)

    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return x + y


@dataclass(frozen=True)
class MaxPool(OneMap):
    """The maximum of each window; what lies outside the image never wins."""

    keeps_scale: ClassVar[bool] = True

    kernel: Pair
    stride: Pair
    pad: Sides = 0

    @cached_property
    def window(self) -> Window:
        return Window.of(self.kernel, self.stride, self.pad)

    @property
    def out_spec(self) -> MapSpec:
        return windowed(self.x, self.window, self.x.shape[2])

    def reference(self, x: np.ndarray) -> np.ndarray:
        return columns(x, self.window, fill=-np.inf).max(axis=3)


@dataclass(frozen=True)
class GlobalAvgPool(OneMap):
    """The mean over all pixels."""

    @property
    def out_spec(self) -> MapSpec:
        return MapSpec((1, 1, self.x.shape[2]))

    def reference(self, x: np.ndarray) -> np.ndarray:
        return x.mean(axis=(1, 2), keepdims=True)


@dataclass(frozen=True)
class PadShortcut(OneMap):
    """The parameter-free shortcut ("option A"): every stride-th pixel, zero channels added on both sides."""

    keeps_scale: ClassVar[bool] = True

    stride: int
    channels: int
    offset: int  # zero channels before those of x; the others come after

    def __post_init__(self) -> None:
        if self.offset < 0 or self.offset + self.x.shape[2] > self.channels:
            raise ValueError(f"shortcut: a {self.x} map does not fit {self.channels} channels from {self.offset} on")

    @property
    def out_spec(self) -> MapSpec:
        return windowed(self.x, Window.of(1, self.stride, 0), self.channels)

    def reference(self, x: np.ndarray) -> np.ndarray:
        after = self.channels - self.offset - x.shape[3]
        return np.pad(x[:, :: self.stride, :: self.stride], ((0, 0), (0, 0), (0, 0), (self.offset, after)))
