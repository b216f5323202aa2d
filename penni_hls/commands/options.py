"""Options shared by several commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..data import CIFAR10_MEAN, CIFAR10_STD
from ..errors import UsageError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout; everything else goes to stderr.")]
Checkpoint = Annotated[
    Path,
    typer.Argument(
        metavar="CHECKPOINT",
        help="A checkpoint: of torch.save or dill, torch.export, ONNX, safetensors, or .penni.",
        show_default=False,
    ),
]
ProjectDir = Annotated[
    Path, typer.Argument(metavar="PROJECT", help="A directory made by 'generate'.", show_default=False)
]
_MEAN = typer.Option(metavar="R,G,B", help="Mean of the pixels in training, scaled to 0..1.")
_STD = typer.Option(metavar="R,G,B", help="Standard deviation of the same.")
Mean = Annotated[str, _MEAN]
Std = Annotated[str, _STD]
GivenMean = Annotated[str | None, _MEAN]
GivenStd = Annotated[str | None, _STD]

# As `numbers` reads them: the defaults of --mean and --std.
MEAN, STD = (",".join(f"{value:.4f}".lstrip("0") for value in values) for values in (CIFAR10_MEAN, CIFAR10_STD))


def numbers(option: str, text: str) -> tuple[float, ...]:
    """`.485,.456,.406` -> three floats."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"{option} {text}: give numbers separated by commas, such as .485,.456,.406") from None
    if not all(abs(value) < 1e6 for value in values):
        raise UsageError(f"{option} {text}: the numbers are not finite or far too large; pixels are scaled to 0..1")
    return values
