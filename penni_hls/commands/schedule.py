"""`penni-hls schedule`: what the network of a checkpoint would be built as."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from .. import api
from ..project.manifest import layers, performance
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


def schedule(
    checkpoint: Checkpoint,
    board: BoardName = None,
    part: Part = None,
    target_fps: TargetFps = None,
    max_utilization: MaxUtilization = None,
    copies: Copies = "auto",
    pareto: Annotated[bool, typer.Option("--pareto", help="Print what other rates would take, too.")] = False,
    mean: GivenMean = None,
    std: GivenStd = None,
    bits: WeightBits = None,
    max_drop: MaxDrop = None,
    basis_bits: BasisBits = None,
    coef_bits: CoefBits = None,
    calibration: Calibration = None,
    as_json: Json = False,
) -> int:
    """Show how each operator would be built for a board, what limits its rate, and what it costs. Writes nothing; exit 1
    where the design does not fit, or not at the rate asked for.

    \b
    Examples:
      penni-hls schedule r20_penni.pt --board pynq-z2
      penni-hls schedule r20_penni.pt --target-fps 1000 --max-utilization lut=60%,dsp=80%
      penni-hls schedule r18_penni.pt --board zcu104 --pareto --json
    """
    report = Reporter(as_json)
    with report.stages(f"schedule {checkpoint.name}") as stage:
        planned = api.schedule(
            checkpoint, **target(board, part), usable=shares(max_utilization), target_fps=rate(target_fps),
            copies=copies_of(copies), pareto=pareto,
            mean=None if mean is None else numbers("--mean", mean), std=None if std is None else numbers("--std", std),
            bits=bits, max_drop=max_drop, basis_bits=basis_bits, coef_bits=coef_bits, calibration=calibration, stage=stage,
        )  # fmt: skip
        found = planned.schedule
        instead = None
        if not found.fits:
            stage("looking for what would fit")
            instead = api.would_fit(found)
    _print(report, planned)
    for line in (*rate_lines(found), *(misfit_lines(found, instead) if instead else ())):
        report.say(line)
    _print_front(report, planned)
    bound = {node.name: found.slowest_part(node.name) for node in found.instances}
    report.result(
        {
            "fits": found.fits, **performance(found),
            "layers": [{**layer, "limited_by": bound[layer["name"]]} for layer in layers(found)],
            "would_fit": asdict(instead) if instead else None,
            "pareto": [
                {"cycles": p.cycles, "images_per_second": _rate(planned, p), **p.needed.as_dict(), "fits": p.fits}
                for p in planned.points
            ],
        }
    )  # fmt: skip
    return 0 if found.fits else 1


def _print(report: Reporter, planned: api.Planned) -> None:
    found = planned.schedule
    rows = [
        (row["name"], short(row["folding"]), row["cycles"], f"{row['cycles'] / found.cycles_per_image:.0%}",
         found.slowest_part(row["name"]), *counts(row, found.board))
        for row in layers(found)
    ]  # fmt: skip
    total, budget = found.total.as_dict(), found.board.budget.as_dict()
    rows.append(("all", "", found.cycles_per_image, "", "", *counts(total, found.board)))
    rows.append(("of the budget", "", "", "", "", *(percent(total[name], budget[name]) for name in shown(found.board))))
    report.table(table(("operator", "folding", "cycles", "busy", "limited by", *shown(found.board).values()), rows))


def _print_front(report: Reporter, planned: api.Planned) -> None:
    if not planned.points:
        return
    board = planned.schedule.board
    device = board.device.as_dict()
    rows = []
    for point in planned.points:
        needed = point.needed.as_dict()
        used = (f"{needed[name]:,.0f} ({percent(needed[name], device[name])})" for name in shown(board))
        rows.append((f"{_rate(planned, point):,.0f}", point.cycles, *used, "yes" if point.fits else "no"))
    columns = ("images/s", "cycles", *shown(board).values(), "fits")
    report.table(table(columns, rows, title="Other rates, by the operators' estimates alone"))


def _rate(planned: api.Planned, point: api.Point) -> float:
    return round(planned.schedule.board.clock_mhz * 1e6 / point.cycles, 1)
