"""Top-1 accuracy over many images: batches run in parallel threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .ir import interpreter
from .ir.blas import one_thread
from .ir.graph import Graph

BATCH = 64
Progress = Callable[[int, int], None]


def predict_integer(graph: Graph, images: np.ndarray) -> np.ndarray:
    """images (N, H, W, C) uint8 -> the integer network's logits (N, classes)."""
    return interpreter.output(graph, images).values.reshape(len(images), -1)


def predict_float(graph: Graph, images: np.ndarray) -> np.ndarray:
    """images (N, H, W, C) uint8 -> the float network's logits (N, classes) float32."""
    return interpreter.output(graph, images).reshape(len(images), -1)


def top1(
    predict: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    labels: np.ndarray,
    progress: Progress | None = None,
) -> float:
    """Percent of images whose largest logit (the first, where several are) is at their label.

    predict: a batch of images -> logits (N, classes). progress is called with (images done, images).
    """
    missed = misses(predict, images, labels, progress=progress)
    return 100.0 * (len(images) - missed) / len(images)


def misses(
    predict: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    labels: np.ndarray,
    *,
    most: int | None = None,
    progress: Progress | None = None,
) -> int:
    """How many images have their largest logit elsewhere than at their label; see `top1`.

    most: where there are more, some number above it, before all images were looked at.
    """
    if len(images) != len(labels) or not len(images):
        raise ValueError(f"{len(images)} images, {len(labels)} labels")
    limit, wrong, done = len(images) if most is None else most, 0, 0

    def missed(start: int) -> int:
        if wrong > limit:
            return 0
        part = slice(start, start + BATCH)
        return int((predict(images[part]).argmax(axis=1) != labels[part]).sum())

    with one_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(missed, range(0, len(images), BATCH)):
            wrong += found
            done = min(done + BATCH, len(images))
            if progress:
                progress(done, len(images))
    return wrong
