"""`penni-hls generate`: a checkpoint -> a project on disk."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from .. import api
from ..backends.shell import Shell
from ..report.console import Reporter
from ..report.schedule import counts, misfit_lines, rate_lines, short, shown
from ..report.tables import percent, table
from .options import (
    BasisBits,
    BoardName,
    Calibration,
    Checkpoint,
    CoefBits,
    Copies,
    GivenMean,
    GivenStd,
    Json,
    MaxDrop,
    MaxUtilization,
    Part,
    TargetFps,
    WeightBits,
    copies_of,
    numbers,
    rate,
    shares,
    target,
)  # fmt: skip


def generate(
    checkpoint: Checkpoint,
    output: Annotated[Path, typer.Option("-o", "--output", help="The directory to write.", show_default=False)],
    board: BoardName = None,
    part: Part = None,
    target_fps: TargetFps = None,
    max_utilization: MaxUtilization = None,
    copies: Copies = "auto",
    mean: GivenMean = None,
    std: GivenStd = None,
    bits: WeightBits = None,
    max_drop: MaxDrop = None,
    basis_bits: BasisBits = None,
    coef_bits: CoefBits = None,
    calibration: Calibration = None,
    stream_bits: Annotated[
        int, typer.Option(metavar="BITS", help="Width of the AXI4-Stream that brings the pixels: 8, 32 or 64.")
    ] = 32,
    counters: Annotated[
        bool,
        typer.Option(
            "--counters", help="Counters in the RTL of how long each operator waits, to be read on the board."
        ),
    ] = False,
    allow_oversize: Annotated[
        bool, typer.Option("--allow-oversize", help="Exit 0 even if the board is too small.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Generate a project: C++, RTL, test benches and scripts. Exit 1 where the design does not fit the board.

    --mean and --std are those of CIFAR-10 unless given here or in the checkpoint. A checkpoint that holds an integer
    network (from quantization-aware training) is used as it is, without bit widths or calibration images.

    \b
    Examples:
      penni-hls generate r20_penni.pt --board pynq-z2 -o build/r20 \\
          --mean .485,.456,.406 --std .229,.224,.225
      penni-hls generate r18_penni.pt --board zcu104 --calibration images.npz -o build/r18
      penni-hls generate r20_penni.pt --target-fps 1000 --max-utilization lut=60% -o build/r20
      penni-hls generate r18_penni.pt --bits 8/4,conv1=8/8 -o build/r18
      penni-hls generate r18_penni.pt --part xc7a100tcsg324-1 -o build/r18
    """
    report = Reporter(as_json)
    with report.stages(f"generate {checkpoint.name}") as stage:
        project = api.generate(
            checkpoint, output, **target(board, part), usable=shares(max_utilization), target_fps=rate(target_fps),
            copies=copies_of(copies),
            mean=None if mean is None else numbers("--mean", mean), std=None if std is None else numbers("--std", std),
            bits=bits, max_drop=max_drop, basis_bits=basis_bits, coef_bits=coef_bits, calibration=calibration,
            stream_bits=stream_bits, counters=counters, stage=stage,
        )  # fmt: skip
        instead = None
        if not project.schedule.fits:
            stage("looking for what would fit")
            instead = api.would_fit(project.schedule)
    for note in project.notes:
        report.note(note)
    fits = project.schedule.fits
    _print(report, project, output, instead, allow_oversize)
    performance, options = project.performance, project.manifest["options"]
    report.result(
        {
            "output": str(output), "fits": fits, **performance, "would_fit": asdict(instead) if instead else None,
            "bits": options["bits"], "bits_chosen": options["bits_chosen"],
            "shell": _shell(project).cost(len(project.schedule.instances)).as_dict(), "layers": project.layers,
        }
    )  # fmt: skip
    return 0 if fits or allow_oversize else 1


def _shell(project: api.Project) -> Shell:
    options = project.manifest["options"]
    return Shell(options["stream_bits"], options["counters"])


def _print(
    report: Reporter, project: api.Project, output: Path, instead: api.WouldFit | None, allow_oversize: bool
) -> None:
    schedule, board = project.schedule, project.schedule.board
    rows = [
        (row["name"], "x".join(map(str, row["output"])), row["weight_bits"], short(row["folding"]), row["cycles"],
         *counts(row, board))
        for row in project.layers
    ]  # fmt: skip
    total, device = schedule.total.as_dict(), board.device.as_dict()
    rows.append(("all", "", "", "", schedule.cycles_per_image, *counts(total, board)))
    share = [percent(total[name], device[name]) for name in shown(board)]
    rows.append((f"of {board.name}", "", "", "", "", *share))
    columns = ("operator", "output", "bits", "folding", "cycles", *shown(board).values())
    report.table(table(columns, rows))
    for line in rate_lines(schedule):
        report.say(line)
    if instead:
        for line in misfit_lines(schedule, instead):
            report.say(line)
        if not allow_oversize:
            report.say("Exit code 1; --allow-oversize accepts it.")
    else:
        around = _shell(project).cost(len(schedule.instances))
        report.say(
            f"Estimated to fit {board.name} ('penni-hls synth {output}' gives yosys's figures). There the shell around it "
            f"takes {around.lut:,.0f} LUT and {around.ff:,.0f} FF more."
        )
    report.say(f"Written: {output} (its report.html shows it, its README.md says what to do with it)")
