"""What all layers share: the map on an edge, what a layer says of itself, windows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..windows import Window
from .count import Count


@dataclass(frozen=True)
class MapSpec:
    """What an edge of the float graph carries for one image: shape (H, W, C), float32."""

    shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"MapSpec: shape {self.shape}")

    @property
    def pixels(self) -> int:
        return self.shape[0] * self.shape[1]

    def __str__(self) -> str:
        return "x".join(map(str, self.shape))


class FloatLayer(ABC):
    """What every layer tells: the maps that it takes, the map that it gives, its parameters and MACs.

    keeps_scale: its results are values that it reads (or 0), so that their integers mean what those of its inputs do.
    """

    keeps_scale: ClassVar[bool] = False

    @property
    @abstractmethod
    def in_specs(self) -> tuple[MapSpec, ...]: ...

    @property
    @abstractmethod
    def out_spec(self) -> MapSpec: ...

    def given(self, value: Any, reader: int) -> Any:
        """What each reader gets: the map as it is."""
        return value

    @property
    def count(self) -> Count:
        return Count()


@dataclass(frozen=True, eq=False)
class OneMap(FloatLayer):
    """A layer that takes one map and, unless it overrides `out_spec`, gives one of the same shape."""

    x: MapSpec

    @property
    def in_specs(self) -> tuple[MapSpec, ...]:
        return (self.x,)

    @property
    def out_spec(self) -> MapSpec:
        return self.x


def windowed(x: MapSpec, window: Window, channels: int) -> MapSpec:
    """The map that windows of `x` give."""
    return MapSpec((*window.map_of(x.shape), channels))


def columns(x: np.ndarray, window: Window, fill: float = 0.0) -> np.ndarray:
    """x (N, H, W, C) -> its windows (N, Ho, Wo, kh*kw, C), taps row by row, `fill` outside the image; same dtype."""
    return np.stack(list(window.seen(x, fill)), axis=3)
