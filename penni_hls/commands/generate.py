"""`penni-hls generate`: a checkpoint -> a project on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import api
from ..report.console import Reporter
from ..report.tables import percent, table
from ..target import boards
from .options import Checkpoint, GivenMean, GivenStd, Json, numbers


def generate(
    checkpoint: Checkpoint,
    output: Annotated[Path, typer.Option("-o", "--output", help="The directory to write.", show_default=False)],
    board: Annotated[str, typer.Option(help="A board by name (see 'boards'), or a .toml file.")] = "pynq-z2",
    mean: GivenMean = None,
    std: GivenStd = None,
    basis_bits: Annotated[
        int | None, typer.Option(min=2, max=8, help="Bits of the basis kernels, 8 by default.")
    ] = None,
    coef_bits: Annotated[int | None, typer.Option(min=2, max=8, help="Bits of the coefficients, 8 by default.")] = None,
    calibration: Annotated[
        Path | None, typer.Option(metavar="FILE.npz", help="Images to take ranges from: array 'images', uint8 NHWC.")
    ] = None,
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
    """
    report = Reporter(as_json)
    with report.stages(f"generate {checkpoint.name}") as stage:
        project = api.generate(
            checkpoint, output, board=board,
            mean=None if mean is None else numbers("--mean", mean), std=None if std is None else numbers("--std", std),
            basis_bits=basis_bits, coef_bits=coef_bits, calibration=calibration, stage=stage,
        )  # fmt: skip
    for note in project.notes:
        report.note(note)
    fits = not project.schedule.shortfalls
    _print(report, project, output, allow_oversize)
    performance = project.performance
    report.result({"output": str(output), "fits": fits, **performance, "layers": project.layers})
    return 0 if fits or allow_oversize else 1


def _print(report: Reporter, project: api.Project, output: Path, allow_oversize: bool) -> None:
    schedule, board = project.schedule, project.schedule.board
    rows = [
        (row["name"], "x".join(map(str, row["output"])), _short(row["folding"]), row["cycles"],
         round(row["lut"]), round(row["ff"]), round(row["dsp"]), row["bram36"])
        for row in project.layers
    ]  # fmt: skip
    total = schedule.total
    rows.append(
        ("all", "", "", schedule.cycles_per_image, round(total.lut), round(total.ff), round(total.dsp), total.bram36)
    )
    share = [percent(total.as_dict()[name], board.device.as_dict()[name]) for name in total.as_dict()]
    rows.append((f"of {board.name}", "", "", "", *share))
    columns = ("operator", "output", "folding", "cycles", "LUT", "FF", "DSP", "BRAM")
    report.table(table(columns, rows))
    report.say(
        f"{schedule.cycles_per_image:,} cycles per image, set by {schedule.slowest}: "
        f"{schedule.images_per_second:,.0f} images/s at {board.clock_mhz:g} MHz."
    )
    report.say(
        f"Lower bounds: {schedule.mac_bound:,.0f} cycles with all {schedule.multipliers} multipliers always busy; "
        f"{schedule.stream_bound:,} for the widest map at one value per cycle."
    )
    if schedule.shortfalls:
        _print_shortfalls(report, project, allow_oversize)
    else:
        report.say(f"Estimated to fit {board.name} ('penni-hls synth {output}' gives yosys's figures).")
    report.say(f"Written: {output} (its README.md says what to do with it)")


def _short(folding: dict[str, int | str]) -> str:
    """`8x1 BLLB`: q x p, then the first letter of each further choice, as Block RAM or LUTs for a memory."""
    q, p, *others = folding.values()
    letters = "".join(str(choice)[0].upper() for choice in others)
    return f"{q}x{p} {letters}".rstrip()


def _print_shortfalls(report: Reporter, project: api.Project, allow_oversize: bool) -> None:
    """Which resources are short, by how much, in which layers, and which boards are large enough."""
    schedule = project.schedule
    report.say(f"Estimated not to fit {schedule.board.name}:")
    for lack in schedule.shortfalls:
        cost = {name: found.as_dict()[lack.resource] for name, found in schedule.resources.items()}
        most = sorted(cost, key=lambda name: -cost[name])[:3]
        shares = ", ".join(f"{name} {cost[name]:,.0f}" for name in most)
        report.say(f"  {lack}; {lack.needed - lack.available:,.0f} too many. Most: {shares}")
    larger = [name for name in boards.names() if _holds(boards.load(name).device.as_dict(), schedule.total.as_dict())]
    report.say(f"The same design would fit: {', '.join(larger) or 'none of the known boards'}.")
    if not allow_oversize:
        report.say("Exit code 1; --allow-oversize accepts it.")


def _holds(device: dict[str, float], needed: dict[str, float]) -> bool:
    return all(device[name] >= needed[name] for name in needed)
