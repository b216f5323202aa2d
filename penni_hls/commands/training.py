"""What `train` and `compress` share: their options, how a run is watched, what an interrupt says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import MISSING, dataclass, fields
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_type_hints

import typer

from ..errors import Interrupted
from ..report.console import Reporter
from ..report.tables import percent
from .options import MEAN, STD, Json, Mean, Std, numbers

if TYPE_CHECKING:  # recipes imports torch, which takes a second: the commands import it when they run
    from ..recipes.runs import Run, Watch

Rate = Annotated[float, typer.Option("--lr", min=0, help="The highest learning rate.")]
Decay = Annotated[float, typer.Option(min=0, help="Weight decay, on kernels and matrices.")]


@dataclass(frozen=True)
class TrainingOptions:
    """The options of both commands, as they are given."""

    arch: Annotated[
        str,
        typer.Option(help="resnet8, resnet20, resnet32, resnet56, resnet18, resnet34 or vgg16.", show_default=False),
    ]
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="CIFAR-10, in its binary or Python-batch form.", show_default=False)
    ]
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Output file; the suffix selects the format.", show_default=False
        ),
    ]
    batch: Annotated[int, typer.Option(min=1, help="Images per step, over all processes.")] = 128
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same result.")] = 0
    bf16: Annotated[bool, typer.Option("--bf16", help="Compute in bfloat16; weights stay float32.")] = False
    device: Annotated[str, typer.Option(metavar="cpu|cuda|auto", help="auto takes a GPU where there is one.")] = "auto"
    mean: Mean = MEAN
    std: Std = STD
    work: Annotated[
        Path | None, typer.Option(metavar="DIR", help="For checkpoints and metrics. By default OUTPUT.work beside it.")
    ] = None
    half: Annotated[bool, typer.Option("--half", help="Store in half precision.")] = False
    as_json: Json = False

    def run(self) -> Run:
        from ..recipes.runs import Run

        return Run(
            arch=self.arch, data=self.data, output=self.output, work=self.work, batch=self.batch, seed=self.seed,
            mean=numbers("--mean", self.mean), std=numbers("--std", self.std), device=self.device, half=self.half,
        )  # fmt: skip

    def normalisation(self) -> str:
        """` --mean ... --std ...` for the command that comes next, "" where they are the defaults or in the file."""
        known = self.output.suffix == ".penni" or (self.mean, self.std) == (MEAN, STD)
        return "" if known else f" --mean {self.mean} --std {self.std}"


def with_training_options(command: Callable[..., int]) -> Callable[..., int]:
    """`command(options: TrainingOptions, ...)` as typer needs it: each field of the options a parameter of its own."""
    hints = get_type_hints(command, include_extras=True)
    own = [
        parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[name])
        for name, parameter in signature(command).parameters.items()
        if name != "options"
    ]
    kinds = get_type_hints(TrainingOptions, include_extras=True)
    shared = [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if field.default is MISSING else field.default,
            annotation=kinds[field.name],
        )
        for field in fields(TrainingOptions)
    ]
    needed = [parameter for parameter in shared if parameter.default is Parameter.empty]
    parameters = [*needed, *own, *shared[len(needed) :]]  # in the order of --help

    @wraps(command)
    def call(**given: object) -> int:
        options = TrainingOptions(**{name: given.pop(name) for name in kinds})  # type: ignore[arg-type]
        return command(options, **given)

    call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def follower() -> bool:
    """True in all but the first of the processes that torchrun starts: the first one speaks."""
    return os.environ.get("RANK", "0") != "0" and "TORCHELASTIC_RUN_ID" in os.environ


@contextmanager
def watched(report: Reporter, run: Run) -> Iterator[Watch]:
    """Lines and bars on stderr while the block runs; an interrupt says how to resume."""
    from ..recipes.runs import Watch

    try:
        with nullcontext() if follower() else report.steps(f"reading {run.data}") as advance:
            yield Watch(lambda metrics: report.log(metrics.line()), advance, report.log)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; the same command resumes the run (checkpoints in {run.directory})") from None


def change(before: float, after: float) -> str:
    """`-86.3 %`."""
    return f"{'+' if after > before else ''}{percent(after - before, before)}"
