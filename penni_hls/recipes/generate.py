"""A checkpoint -> a project on disk."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..backends.design import Design
from ..backends.emit import emit
from ..backends.top import ports
from ..data import load_images
from ..errors import UsageError
from ..ir.layers import Input
from ..project import Model, Project, check_target, digest, encode, read, write
from ..quantize import quantize
from ..schedule import plan
from ..target import boards
from .images import check_images

if TYPE_CHECKING:
    from ..checkpoint import Loaded

BITS = 8  # of bases and coefficients, where nothing else is asked for

Stage = Callable[[str], None]


def generate(
    checkpoint: str | Path,
    output: str | Path,
    *,
    board: str = "pynq-z2",
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    basis_bits: int | None = None,
    coef_bits: int | None = None,
    calibration: str | Path | np.ndarray | None = None,
    stage: Stage = lambda name: None,
) -> Project:
    """Make a project for `board` (a name, or the path of a .toml file) from a checkpoint and write it to `output`.

    mean, std: of the pixels 0..1 that the network was trained with; None: what the checkpoint says, or else CIFAR-10's.
    basis_bits, coef_bits: 8 where None. calibration: an .npz file, or uint8 (N, H, W, C), of images like those of the
    task; without them ranges come from the BatchNorm statistics. A checkpoint that holds an integer network leaves these
    three nothing to say. stage: called with what is being done. A design too large for the board is written all the
    same: see `project.schedule.shortfalls`.
    """
    target = boards.load(board)
    check_target(output)
    checkpoint = Path(checkpoint)
    images = load_images(calibration).images if isinstance(calibration, (str, Path)) else calibration
    stage("reading the checkpoint")
    loaded, network, source = _read_checkpoint(checkpoint, mean, std)
    float_graph, quantized = loaded.graph, loaded.quantized
    if images is not None:
        check_images(images, float_graph, "calibration images")
    if quantized is None:
        stage("quantizing")
        basis_bits, coef_bits = (BITS if bits is None else bits for bits in (basis_bits, coef_bits))
        try:
            quantized = quantize(float_graph, basis_bits=basis_bits, coef_bits=coef_bits, calibration=images)
        except ValueError as error:
            raise UsageError(str(error)) from None
    else:
        _check_nothing_given(checkpoint, basis_bits=basis_bits, coef_bits=coef_bits, calibration=calibration)
    stage("planning")
    schedule = plan(quantized.graph, target)
    pixels = float_graph.input.op
    assert isinstance(pixels, Input)
    options = {
        "board": target.name, "mean": list(pixels.mean), "std": list(pixels.std),
        "basis_bits": basis_bits, "coef_bits": coef_bits,
        "calibration_sha256": None if images is None else digest(images.tobytes()),
    }  # fmt: skip
    stage("writing C++ and RTL")
    design = Design(checkpoint.stem, network, schedule, quantized.logit_scale, quantized.notes)
    model = Model(
        design.name, schedule, float_graph, quantized.logit_scale, quantized.notes,
        made_by={"alkaid": importlib.metadata.version("alkaid")},
        source={"checkpoint": checkpoint.name, "form": loaded.form, "sha256": source, "network": network},
        options=options,
        ports=tuple(port.as_dict() for port in ports(schedule)),
    )  # fmt: skip
    write(encode(model, emit(design)), output)
    return read(output)


def _read_checkpoint(
    path: Path, mean: tuple[float, ...] | None, std: tuple[float, ...] | None
) -> tuple[Loaded, str, str]:
    """What the file holds, a line that describes its network, and its sha256."""
    from .. import checkpoint as reader  # some forms need torch, which takes a second

    loaded = reader.load(path, mean=mean, std=std)
    return loaded, reader.describe(loaded.graph), digest(path.read_bytes())


def _check_nothing_given(checkpoint: Path, **given: object) -> None:
    for name, value in given.items():
        if value is not None:
            raise UsageError(
                f"{checkpoint} holds an integer network, trained as the hardware computes it; leave"
                f" --{name.replace('_', '-')} away"
            )
