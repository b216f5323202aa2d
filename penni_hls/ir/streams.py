"""The order in which values cross an edge, one word per beat. Hardware, benches and mutation checks share it.

A map (H, W, C) crosses as one value per beat, pixels in raster order, channels within a pixel. Behind the input port q
consecutive values may cross in a beat, the first in the lowest bits; q divides H·W·C.
A tiled tensor (H, W, C, d) crosses as q values per beat: for each group of q consecutive pixels, for each channel, for
each basis, the q pixels side by side, the first pixel in the lowest bits. Where a last group is short, its last pixel is
repeated to fill the beat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .graph import TensorSpec


@dataclass(frozen=True)
class Stream:
    """The type of a stream: what one frame of it carries, and the values of a beat. Two ends that agree fit together."""

    spec: TensorSpec
    q: int = 1

    def __post_init__(self) -> None:
        if not self.spec.tiled and math.prod(self.spec.shape) % self.q:
            raise ValueError(f"{self.q} values a beat do not divide {self.spec}")

    @classmethod
    def of(cls, spec: TensorSpec, q: int, values: int = 1) -> Stream:
        """The stream of `spec` beside an operator that works on groups of q pixels. values: of a map in a beat."""
        return cls(spec, q if spec.tiled else values)

    @property
    def bits(self) -> int:
        """Width of a beat."""
        return self.spec.qtype.bits * self.q

    @property
    def groups(self) -> int:
        """Groups of q pixels in a frame, the last one possibly short."""
        return -(-self.spec.pixels // self.q)

    @property
    def beats_per_frame(self) -> int:
        if not self.spec.tiled:
            return math.prod(self.spec.shape) // self.q
        return self.groups * math.prod(self.spec.shape[2:])

    def beats(self, values: np.ndarray) -> np.ndarray:
        """values (N, *spec.shape) -> (beats of all N frames in order, q), same dtype."""
        if values.shape[1:] != self.spec.shape:
            raise ValueError(f"beats: {values.shape[1:]} is not {self.spec.shape}")
        if not self.spec.tiled:
            return values.reshape(-1, self.q)
        n, words = values.shape[0], math.prod(self.spec.shape[2:])
        pixels = values.reshape(n, self.spec.pixels, words)
        index = np.minimum(np.arange(self.groups * self.q), self.spec.pixels - 1)
        return pixels[:, index].reshape(n, -1, self.q, words).swapaxes(2, 3).reshape(-1, self.q)

    def tensor(self, beats: np.ndarray) -> np.ndarray:
        """The inverse of `beats`: (beats, q) -> (N, *spec.shape); repeated pixels of a short group fall away."""
        if not self.spec.tiled:
            return beats.reshape(-1, *self.spec.shape)
        words = math.prod(self.spec.shape[2:])
        pixels = beats.reshape(-1, self.groups, words, self.q).swapaxes(2, 3).reshape(-1, self.groups * self.q, words)
        return pixels[:, : self.spec.pixels].reshape(-1, *self.spec.shape)


@dataclass(frozen=True)
class Port:
    """A stream input or output of an operator, by the name that it has in hardware."""

    name: str
    stream: Stream
