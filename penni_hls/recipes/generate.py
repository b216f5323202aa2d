"""A checkpoint -> a project on disk."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..backends.design import Design
from ..backends.emit import emit
from ..backends.page.emit import emit_report
from ..backends.shell import Shell
from ..backends.top import ports
from ..ir.bits import LayerBits, written
from ..ir.layers import Input
from ..project import MANIFEST, REPORT, Model, Project, check_target, digest, encode, read, write
from ..schedule import plan_copies
from ..target import boards
from .integers import Stage, integers


def generate(
    checkpoint: str | Path,
    output: str | Path,
    *,
    board: str = "pynq-z2",
    part: str | None = None,
    usable: Mapping[str, float] | None = None,
    target_fps: float | None = None,
    copies: int | None = None,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    bits: str | LayerBits | None = None,
    basis_bits: int | None = None,
    coef_bits: int | None = None,
    max_drop: float | None = None,
    calibration: str | Path | np.ndarray | None = None,
    stream_bits: int = 32,
    counters: bool = False,
    stage: Stage = lambda name: None,
) -> Project:
    """Make a project for `board` (a name, or the path of a .toml file) from a checkpoint and write it to `output`.

    part: a bare part instead of a board, by the vendor's name: there is no processor, so no system around the accelerator.
    usable: shares of the board that the accelerator may use, by resource, instead of the board's. target_fps: images per
    second to reach by the least hardware; None: as many as fit. copies: of the network, which take images by turns; None:
    as many, up to 4, as give the highest rate, or the one asked for by the least hardware. mean, std: of the pixels 0..1
    that the network was trained with; None: what the checkpoint says, or else CIFAR-10's.
    bits: of bases and coefficients, by layer, also as text (see `ir.bits.parse`), or "auto": chosen (see
    `quantize.choose`), such that top-1 agrees with the float network at most max_drop points less than with 8 bits
    everywhere (0.5 where None), or "for-board": chosen together with the foldings, which takes minutes. basis_bits,
    coef_bits: one width for all, the other then 8. Where none is given: what the checkpoint says, or else "auto".
    calibration: an .npz file, or uint8 (N, H, W, C), of images like those of the task;
    without them ranges come from the BatchNorm statistics. An integer network in the checkpoint
    is taken as it is where none of these five is given; one that was trained leaves them nothing to say.
    stream_bits: width of the AXI4-Stream that brings the pixels, 8, 32 or 64. counters: each operator of the RTL gets counters
    of the cycles in which it waits, which the accelerator's registers show. stage: called
    with what is being done. A design too large for the board is written all the same: see `project.schedule.shortfalls`.
    """
    target, shell = boards.choose(board, part, usable), Shell(stream_bits, counters)
    check_target(output)
    checkpoint = Path(checkpoint)
    found = integers(
        checkpoint, mean=mean, std=std, bits=bits, basis_bits=basis_bits, coef_bits=coef_bits, max_drop=max_drop,
        calibration=calibration, board=target, stage=stage,
    )  # fmt: skip
    loaded, quantized, float_graph = found.loaded, found.quantized, found.loaded.graph
    stage("planning")
    schedule, _ = plan_copies(quantized.graph, target, target_fps, copies, shell.input_bits // 8)
    pixels = float_graph.input.op
    assert isinstance(pixels, Input)
    options = {
        "board": target.name, "usable": asdict(target.usable), "target_fps": target_fps, "copies": schedule.copies,
        "mean": list(pixels.mean), "std": list(pixels.std),
        "bits": written(found.bits) if found.bits else None,
        "bits_chosen": None if found.chosen is None else found.chosen.as_dict(),
        "calibration_sha256": None if found.images is None else digest(found.images.tobytes()),
        "stream_bits": shell.input_bits, "counters": shell.counters,
    }  # fmt: skip
    stage("writing C++ and RTL")
    design = Design(checkpoint.stem, found.network, schedule, quantized.logit_scale, found.notes, shell)
    model = Model(
        design.name, schedule, float_graph, quantized.logit_scale, found.notes,
        made_by={"alkaid": importlib.metadata.version("alkaid")},
        source={"checkpoint": checkpoint.name, "form": loaded.form, "sha256": found.sha256, "network": found.network},
        options=options,
        ports=tuple(port.as_dict() for port in ports(schedule)),
        digest=design.digest,
    )  # fmt: skip
    files = encode(model, emit(design))
    page = emit_report(json.loads(files[MANIFEST]), schedule, {})
    write({**files, REPORT: page.encode()}, output)
    return read(output)
