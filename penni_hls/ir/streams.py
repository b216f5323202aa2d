"""The order in which values cross an edge, one word a beat. The hardware, the benches and the mutation checks share it.

A map (H, W, C) crosses as one value a beat, pixels in raster order, channels within a pixel.
A tiled tensor (H, W, C, d) crosses as q values a beat: for each group of q consecutive pixels, for each channel, for each
basis, the q pixels side by side, the first pixel in the lowest bits. Where a last group is short, its last pixel is
repeated to fill the beat.
"""

from __future__ import annotations

import numpy as np

from .graph import TensorSpec


def groups(spec: TensorSpec, q: int) -> int:
    """Groups of q pixels in a frame, the last one possibly short."""
    return -(-spec.pixels // q)


def values_per_beat(spec: TensorSpec, q: int) -> int:
    return q if spec.tiled else 1


def word_bits(spec: TensorSpec, q: int) -> int:
    """Width of one beat in bits."""
    return spec.qtype.bits * values_per_beat(spec, q)


def beats(values: np.ndarray, spec: TensorSpec, q: int) -> np.ndarray:
    """values (N, *spec.shape) -> (beats of all N frames in order, values per beat), same dtype."""
    if values.shape[1:] != spec.shape:
        raise ValueError(f"beats: {values.shape[1:]} is not {spec.shape}")
    n = values.shape[0]
    if not spec.tiled:
        return values.reshape(-1, 1)
    _, _, c, d = spec.shape
    pixels = values.reshape(n, spec.pixels, c * d)
    index = np.minimum(np.arange(groups(spec, q) * q), spec.pixels - 1)
    return pixels[:, index].reshape(n, -1, q, c * d).swapaxes(2, 3).reshape(-1, q)


def from_beats(words: np.ndarray, spec: TensorSpec, q: int) -> np.ndarray:
    """The inverse of `beats`: (beats, values per beat) -> (N, *spec.shape); repeated pixels of a short group fall away."""
    if not spec.tiled:
        return words.reshape(-1, *spec.shape)
    _, _, c, d = spec.shape
    per_frame = groups(spec, q) * c * d
    pixels = words.reshape(-1, per_frame // (c * d), c * d, q).swapaxes(2, 3).reshape(-1, groups(spec, q) * q, c * d)
    return pixels[:, : spec.pixels].reshape(-1, *spec.shape)
