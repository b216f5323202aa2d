"""Options shared by several commands."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from ..data import CIFAR10_MEAN, CIFAR10_STD
from ..errors import UsageError
from ..ir.ops.merge import MOST
from ..target.boards import DEFAULT, Usable

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

BoardName = Annotated[
    str | None,
    typer.Option(metavar="NAME", help=f"A board by name (see 'boards'), or a .toml file; {DEFAULT} by default."),
]
Part = Annotated[
    str | None,
    typer.Option(
        metavar="PART", help="A bare part instead of a board, such as xc7a100tcsg324-1: the accelerator alone."
    ),
]
WeightBits = Annotated[
    str | None,
    typer.Option(
        "--bits",
        metavar="WIDTHS",
        help="Bits of bases/coefficients: '8/4,layer1.0.conv1=4/3', auto, or for-board: auto together with the"
        " foldings, in minutes. By default those in the checkpoint, or else auto.",
    ),
]
MaxDrop = Annotated[
    float | None,
    typer.Option(
        metavar="POINTS",
        help="For auto and for-board: how much less top-1 may agree with the float network; 0.5 points.",
    ),
]
BasisBits = Annotated[int | None, typer.Option(min=2, max=8, help="Bits of all basis kernels.")]
CoefBits = Annotated[int | None, typer.Option(min=2, max=8, help="Bits of all coefficients.")]
Calibration = Annotated[
    Path | None, typer.Option(metavar="FILE.npz", help="Images to take ranges from: array 'images', uint8 NHWC.")
]
TargetFps = Annotated[
    float | None,
    typer.Option(metavar="N", help="Images per second to reach by the least hardware; as many as fit by default."),
]
MaxUtilization = Annotated[
    str | None,
    typer.Option(
        metavar="SHARES", help="Shares of the board to use at most: 70%, or lut=70%,dsp=.9,bram=1; see 'boards'."
    ),
]
Copies = Annotated[
    str,
    typer.Option(
        metavar="N",
        help="Copies of the network that take images by turns: 1 to 4, or auto: where more are faster, or cheaper.",
    ),
]

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


def shares(text: str | None) -> dict[str, float] | None:
    """`lut=70%,bram=.9`, or `70%` for all resources -> shares by resource, as boards name them."""
    if text is None:
        return None
    known = {field.name: field.name for field in fields(Usable)} | {"bram": "bram36"}
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.rpartition("=")
        name = name.strip().lower()
        if name and name not in known:
            raise UsageError(f"--max-utilization {text}: '{name}' is none of lut, ff, dsp, bram and uram")
        try:
            share = float(value.strip().removesuffix("%")) / (100 if value.strip().endswith("%") else 1)
        except ValueError:
            share = 0.0
        if not 0 < share <= 1:
            raise UsageError(
                f"--max-utilization {text}: '{value}' is no share; give 70% or 0.7, above 0 and at most 100%"
            )
        found |= {known[name]: share} if name else dict.fromkeys((field.name for field in fields(Usable)), share)
    return found


def target(board: str | None, part: str | None) -> dict[str, str]:
    """--board and --part as the library's functions take them."""
    if board is not None and part is not None:
        raise UsageError("--board and --part exclude each other: a board has its part")
    return {"board": board or DEFAULT} | ({} if part is None else {"part": part})


def copies_of(text: str) -> int | None:
    """`3` -> 3, `auto` -> None."""
    if text == "auto":
        return None
    if text not in map(str, range(1, MOST + 1)):
        raise UsageError(f"--copies {text}: give 1 to {MOST}, or auto")
    return int(text)


def rate(target_fps: float | None) -> float | None:
    """--target-fps, checked."""
    if target_fps is not None and not 0 < target_fps < 1e9:
        raise UsageError(f"--target-fps {target_fps:g}: give the images per second that are wanted, above 0")
    return target_fps
