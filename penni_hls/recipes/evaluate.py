"""The accuracy of a project's integer network, and of the float one that it was made from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..accuracy import predict_float, predict_integer, top1
from ..data import Images, load_cifar10
from ..errors import DataError, UsageError
from ..project import Project, results
from .images import check_images

Progress = Callable[[int, int], None]


def evaluate(
    project: Project, data: str | Path | Images, *, count: int | None = None, progress: Progress | None = None
) -> dict:
    """Top-1 of the integer and the float network, in percent. data: a directory with CIFAR-10, or labelled images."""
    output = project.graph.output.op.out_spec
    if output.pixels > 1:
        raise UsageError(
            f"evaluate counts how often the right class is found; the result of this network is a {output} map"
        )
    images = data if isinstance(data, Images) else load_cifar10(data)
    if images.labels is None:
        raise DataError("the images have no labels; evaluation needs them")
    pixels, labels = check_images(images.images[:count], project.graph), images.labels[:count]
    total = 2 * len(pixels)
    notify = progress or (lambda done, of: None)
    integer = top1(partial(predict_integer, project.graph), pixels, labels, lambda done, of: notify(done, total))
    real = top1(partial(predict_float, project.float_graph), pixels, labels, lambda done, of: notify(of + done, total))
    found = {"images": len(pixels), "top1_integer": round(integer, 2), "top1_float": round(real, 2)}
    results.save(project, "evaluate", found)
    return found
