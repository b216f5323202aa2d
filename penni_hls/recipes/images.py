"""Which images a project's network is run on."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ..data import load_cifar10, load_images
from ..errors import DataError, UsageError
from ..ir.graph import Graph
from ..project import Project

MOST_BYTES = 1 << 36  # of images that are made up


def check_images(images: np.ndarray, graph: Graph, what: str = "images") -> np.ndarray:
    """`images`, or DataError where they are not what the network takes."""
    shape = graph.input.op.out_spec.shape
    if images.dtype != np.uint8 or images.shape[1:] != shape or not len(images):
        have = f"{images.dtype} {'x'.join(map(str, images.shape[1:]))}"
        raise DataError(f"{what} are {have}; the network takes uint8 {'x'.join(map(str, shape))} (H x W x C)")
    return images


def choose_images(
    project: Project, default: int, file: str | Path | None, data: str | Path | None, count: int | None
) -> tuple[np.ndarray, str]:
    """The images to simulate, uint8 (N, H, W, C), and a line that says where they come from.

    default: how many where neither a file nor `count` says. file: an .npz (all of it unless `count`); data: a directory
    with CIFAR-10; neither: noise, the same every time.
    """
    if file is not None and data is not None:
        raise UsageError("--images and --data exclude each other; give one of them")
    wanted = count or default
    if file is not None:
        pixels, source = load_images(file).images[:count], f"of {file}"
        wanted = count or len(pixels)
    elif data is not None:
        pixels, source = load_cifar10(data).images[:wanted], f"test images of {data}"
    else:
        _check_memory(project, wanted)
        pixels, source = random_images(project, wanted), "noise, always the same (--images or --data gives real ones)"
    if len(pixels) < wanted:
        raise DataError(f"{file or data} has {len(pixels)} images, fewer than --count {wanted}")
    return check_images(pixels, project.graph), f"{len(pixels)} {source}"


def _check_memory(project: Project, count: int) -> None:
    size = count * math.prod(project.graph.input.op.out_spec.shape)
    if size > MOST_BYTES:
        raise UsageError(f"--count {count}: not enough memory for {size / 1e9:,.0f} GB of images; give fewer")


def random_images(project: Project, count: int) -> np.ndarray:
    """The same `count` images of noise every time: uint8 (count, H, W, C)."""
    return np.random.default_rng(0).integers(0, 256, (count, *project.graph.input.op.out_spec.shape), np.uint8)
