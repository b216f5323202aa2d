"""Top-1 accuracy over many images: batches run in parallel threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .ir import interpreter
from .ir.blas import one_thread
from .ir.graph import Graph
from .ir.layers import Input

BATCH = 64
Progress = Callable[[int, int], None]


def predict_integer(graph: Graph, images: np.ndarray) -> np.ndarray:
    """images (N, H, W, C) uint8 -> the integer network's logits (N, classes)."""
    return interpreter.run(graph, images, keep=())[graph.output.name].values.reshape(len(images), -1)


def predict_float(graph: Graph, images: np.ndarray) -> np.ndarray:
    """images (N, H, W, C) uint8 -> the float network's logits (N, classes) float32."""
    waiting = {name: len(readers) for name, readers in graph.readers.items()}
    live: dict[str, np.ndarray] = {}
    for node in graph:
        inputs = (images,) if isinstance(node.op, Input) else tuple(live[name] for name in node.inputs)
        live[node.name] = node.op.reference(*inputs)
        for name in node.inputs:
            waiting[name] -= 1
            if not waiting[name]:
                live.pop(name, None)
    return live[graph.output.name].reshape(len(images), -1)


def top1(
    predict: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    labels: np.ndarray,
    progress: Progress | None = None,
) -> float:
    """Percent of images whose largest logit (the first on a tie) is that of their label.

    predict: a batch of images -> logits (N, classes). progress is called with (images done, images).
    """
    if len(images) != len(labels) or not len(images):
        raise ValueError(f"{len(images)} images, {len(labels)} labels")

    def hits(start: int) -> int:
        part = slice(start, start + BATCH)
        return int((predict(images[part]).argmax(axis=1) == labels[part]).sum())

    correct = done = 0
    with one_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(hits, range(0, len(images), BATCH)):
            correct += found
            done = min(done + BATCH, len(images))
            if progress:
                progress(done, len(images))
    return 100.0 * correct / len(images)
