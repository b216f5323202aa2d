"""`penni-hls build`: a project -> a bitstream."""

from __future__ import annotations

from contextlib import contextmanager
from enum import Enum
from typing import Annotated

import typer

from .. import api
from ..errors import UsageError
from ..report.console import Reporter
from ..report.schedule import shown
from ..report.tables import percent, table
from .options import Json, ProjectDir

Tool = Enum("Tool", {"vivado": "vivado"}, type=str)
From = Enum("From", {"rtl": "rtl", "hls": "hls"}, type=str)


def build(
    project: ProjectDir,
    tool: Annotated[Tool, typer.Option(help="The vendor's tool.")] = Tool.vivado,
    source: Annotated[
        From,
        typer.Option("--from", help="rtl: the SystemVerilog. hls: the C++, turned into Verilog by Vitis HLS first."),
    ] = From.rtl,
    clock: Annotated[
        str | None,
        typer.Option(metavar="MHZ", help="The clock; the board's by default. auto: the highest that meets timing."),
    ] = None,
    strategy: Annotated[
        str, typer.Option(metavar="NAMES", help=f"{', '.join(api.STRATEGIES)}; several: until one meets timing.")
    ] = "performance",
    ila: Annotated[bool, typer.Option("--ila", help="A logic analyser on the input and output streams.")] = False,
    ip: Annotated[
        bool, typer.Option("--ip", help="Also package the accelerator as an IP (vivado/ip/component.xml).")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes of the tool.")] = 4,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show every line of the tool's log.")] = False,
    as_json: Json = False,
) -> int:
    """Make a bitstream. Exit 1 where the design does not fit or does not meet timing; model.json then says why.

    \b
    Examples:
      penni-hls build build/r20
      penni-hls build build/r20 --clock auto --strategy performance,timing
      penni-hls build build/r20 --from hls --ila
    """
    report = Reporter(as_json)
    loaded = api.load(project)
    if loaded.changed:
        report.note(f"changed since it was generated: {', '.join(loaded.changed)}")
    with watched(report, f"build {tool.value}", verbose) as watch:
        found = api.build(
            loaded, source.value, _clock(clock), strategies=tuple(strategy.split(",")), ila=ila, package=ip, jobs=jobs,
            watch=watch,
        )  # fmt: skip
    _print(report, loaded, found)
    report.result({"tool": tool.value, **found.as_dict()})
    return 1 if found.best.problem else 0


@contextmanager
def watched(report: Reporter, what: str, verbose: bool):
    """A Watch that shows the step as it runs, and above it the lines of the log that matter, or all."""
    with report.stages(what) as stage:
        yield api.Watch(stage, lambda line, notable: report.log(line) if verbose or notable else None)


def _clock(text: str | None) -> float | str | None:
    if text is None or text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--clock {text}: give MHz, or auto") from None


def _print(report: Reporter, project: api.Project, found: api.Built) -> None:
    best, schedule = found.best, project.schedule
    if found.tries:
        rows = (
            (f"{step.clock_mhz:g}", None if step.slack is None else f"{step.slack:.3f}", step.met)
            for step in found.tries
        )
        report.table(table(("MHz", "setup slack, ns", "met"), rows))
    if best.utilization:
        predicted, whole = schedule.total.as_dict(), best.utilization
        alone = best.accelerator.as_dict() if best.accelerator else {}
        used, have = whole.used.as_dict(), whole.available.as_dict()
        rows = [
            (title, round(predicted[name]), alone.get(name), used[name], have[name], percent(used[name], have[name]))
            for name, title in shown(schedule.board).items()
        ]
        columns = ("resource", "predicted", "accelerator", "whole design", "device", "share")
        report.table(table(columns, rows))
    if best.timing:
        slacks = ", ".join(
            f"{name} slack {slack:g} ns" for name, slack in (("setup", best.timing.setup), ("hold", best.timing.hold))
            if slack is not None
        )  # fmt: skip
        report.say(f"{best.clock_mhz:g} MHz: {slacks}. The worst setup path would allow {best.fmax or 0:.1f} MHz.")
        rate = best.clock_mhz * 1e6 / schedule.cycles_per_image
        report.say(f"{rate:,.0f} images/s at that clock, predicted ({schedule.cycles_per_image:,} cycles per image).")
    if best.power is not None:
        report.say(f"{best.power:g} W on the chip, estimated by Vivado.")
    if best.board_files == "none":
        report.note(
            "Vivado has no board files for this board: pins and memory are for use under a running PYNQ image only"
        )
    for path in best.files:
        report.say(f"written: {path}")
    if best.problem:
        report.say(f"FAILED: {best.problem}.")
