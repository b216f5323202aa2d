"""calibrate: the activations on which ranges and errors are measured, node by node.

A batch of images runs through the float network. Where the user gives no images, the batch is coloured 1/f noise, and
what a convolution gives or a BatchNorm computes is normalised, channel by channel, to exactly the mean and standard
deviation that the BatchNorm recorded in training: the ranges then come from the BatchNorm statistics, and the noise
gives only the shape of the distributions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..errors import DataError
from ..ir.graph import Graph
from ..ir.interpreter import Step, interpret
from .exact import forward

IMAGES = 256
NOISE_HEADROOM = 1.25
SIDE = 512  # of a field of noise
PIXELS = 1 << 21  # pixels per batch, at most: 2,048 images of 32x32, 41 of 224x224


@dataclass(frozen=True, eq=False)
class Calibration:
    """images: uint8 (N, H, W, C). synthetic: they are noise; results are normalised as their BatchNorm recorded."""

    images: np.ndarray
    synthetic: bool

    @property
    def headroom(self) -> float:
        """The factor by which ranges exceed those seen: photographs have longer tails than noise."""
        return NOISE_HEADROOM if self.synthetic else 1.0


def calibration(graph: Graph, images: np.ndarray | None) -> Calibration:
    """The batch to measure on: `images` (as many as PIXELS allows), or noise. DataError where their shape is wrong."""
    h, w, c = graph.input.op.out_spec.shape
    most = max(1, PIXELS // (h * w))
    if images is None:
        return Calibration(noise(min(IMAGES, most), h, w, c), synthetic=True)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (h, w, c) or not len(images):
        raise DataError(
            f"calibration images have shape {images.shape} {images.dtype}; (N, {h}, {w}, {c}) uint8 is needed"
        )
    return Calibration(images[:most], synthetic=False)


def noise(n: int, h: int, w: int, c: int) -> np.ndarray:
    """Images with the spectrum of natural ones (amplitude 1/f) and mostly grey, as those are: uint8 (n, h, w, c).

    Beyond SIDE they are mirrored: a larger field says nothing more of the values.
    """
    if max(h, w) > SIDE:
        part = noise(n, min(h, SIDE), min(w, SIDE), c)
        mirrored = ((0, 0), (0, max(0, h - SIDE)), (0, max(0, w - SIDE)), (0, 0))
        return np.pad(part, mirrored, mode="symmetric")
    rng = np.random.default_rng(0)
    f = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None, :])
    f[0, 0] = 1.0 / max(h, w)
    spectrum = np.fft.rfft2(rng.standard_normal((n, c + 1, h, w))) / f
    fields = np.fft.irfft2(spectrum, s=(h, w))
    fields /= fields.std(axis=(2, 3), keepdims=True).mean(axis=0, keepdims=True)
    grey, colour = fields[:, :1], fields[:, 1:]
    pixels = 120 + 55 * (0.9 * grey + 0.4 * colour)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def observe(graph: Graph, calibration: Calibration) -> Iterator[Step]:
    """Forward the batch, each result as its BatchNorm recorded it where the images are noise: a node at a time."""
    return interpret(graph, calibration.images, partial(forward, recorded=calibration.synthetic))
