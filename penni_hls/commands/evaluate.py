"""`penni-hls evaluate`: the accuracy of the integer and of the float network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import api
from ..report.console import Reporter
from .options import Json, ProjectDir


def evaluate(
    project: ProjectDir,
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="CIFAR-10, in its binary or Python-batch form.", show_default=False)
    ],
    count: Annotated[int | None, typer.Option(min=1, help="Only the first COUNT test images.")] = None,
    as_json: Json = False,
) -> int:
    """Top-1 accuracy of the integer network, which is what the hardware computes, and of the float network.

    \b
    Examples:
      penni-hls evaluate build/r20 --data cifar-10-batches-bin
      penni-hls evaluate build/r20 --data cifar-10-batches-py --count 1000 --json
    """
    report = Reporter(as_json)
    loaded = api.load(project)
    with report.progress("evaluate") as advance:
        found = api.evaluate(loaded, data, count=count, progress=advance)
    report.say(
        f"{found['images']:,} images: top-1 {found['top1_integer']:.2f} % integer, {found['top1_float']:.2f} % float"
    )
    report.result(found)
    return 0
