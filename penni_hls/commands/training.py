"""What `train` and `compress` share: their options, how a run is watched, what an interrupt says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import Interrupted
from ..report.console import Reporter
from ..report.tables import percent
from .options import MEAN, STD

if TYPE_CHECKING:  # compression imports torch, which takes a second: the commands import it when they run
    from ..recipes.runs import Run, Watch

Arch = Annotated[
    str,
    typer.Option(help="resnet8, resnet20, resnet32, resnet56, resnet18 or vgg16.", show_default=False),
]
Data = Annotated[
    Path, typer.Option(metavar="DIR", help="CIFAR-10, in its binary or Python-batch form.", show_default=False)
]
Output = Annotated[
    Path,
    typer.Option(
        "-o", "--output", metavar="FILE", help="The file to make; its suffix is the form.", show_default=False
    ),
]
Work = Annotated[
    Path | None, typer.Option(metavar="DIR", help="For checkpoints and metrics. By default OUTPUT.work beside it.")
]
Batch = Annotated[int, typer.Option(min=1, help="Images a step, over all processes.")]
Rate = Annotated[float, typer.Option("--lr", min=0, help="The highest learning rate.")]
Decay = Annotated[float, typer.Option(min=0, help="Weight decay, on kernels and matrices.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed, the same result.")]
Bf16 = Annotated[bool, typer.Option("--bf16", help="Compute in bfloat16; weights stay float32.")]
Device = Annotated[str, typer.Option(metavar="cpu|cuda|auto", help="auto takes a GPU where there is one.")]
Half = Annotated[bool, typer.Option("--half", help="Store in half precision.")]


def follower() -> bool:
    """True in all but the first of the processes that torchrun starts: the first one speaks."""
    return os.environ.get("RANK", "0") != "0" and "TORCHELASTIC_RUN_ID" in os.environ


@contextmanager
def watched(report: Reporter, run: Run) -> Iterator[Watch]:
    """Lines and bars on stderr while the block runs; an interrupt says how to go on."""
    from ..recipes.runs import Watch

    try:
        with nullcontext() if follower() else report.steps(f"reading {run.data}") as advance:
            yield Watch(lambda metrics: report.log(metrics.line()), advance, report.log)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; the same command goes on where it stopped (its checkpoints are in {run.directory})"
        ) from None


def normalisation(output: Path, mean: str, std: str) -> str:
    """` --mean ... --std ...` for the command that comes next, "" where they are the usual ones or the file has them."""
    known = output.suffix == ".penni" or (mean, std) == (MEAN, STD)
    return "" if known else f" --mean {mean} --std {std}"


def change(before: float, after: float) -> str:
    """`-86.3 %`."""
    return f"{'+' if after > before else ''}{percent(after - before, before)}"
