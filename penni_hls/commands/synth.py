"""`penni-hls synth`: the resources that the RTL of a project takes."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from .. import api
from ..errors import UsageError
from ..report.console import Reporter
from ..report.schedule import counts, shown
from ..report.tables import percent, table
from .options import Json, ProjectDir
from .synth_vitis import synth_vitis
from .synth_vivado import synth_vivado

Tool = Enum("Tool", {"yosys": "yosys", "vitis": "vitis", "vivado": "vivado"}, type=str)


def synth(
    project: ProjectDir,
    tool: Annotated[Tool, typer.Option(help="The synthesis tool.")] = Tool.yosys,
    place: Annotated[
        bool, typer.Option("--place", help="vivado: place and route each operator, for a clock with its wires.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Synthesize a project: its RTL by yosys or Vivado, compared with the board's budget, or its C++ by Vitis HLS, each
    operator and the whole, beside the estimates. Exit 1 where it is over the budget, or a loop of the C++ is not pipelined.

    \b
    Examples:
      penni-hls synth build/r20 --tool yosys
      penni-hls synth build/r20 --tool vitis
      penni-hls synth build/r20 --tool vivado --place
      penni-hls synth build/r20 --json
    """
    if place and tool is not Tool.vivado:
        raise UsageError(f"--place goes with --tool vivado, not {tool.value}")
    report = Reporter(as_json)
    loaded = api.load(project)
    if tool is Tool.vitis:
        return synth_vitis(loaded, report)
    if tool is Tool.vivado:
        return synth_vivado(loaded, report, place)
    with report.progress(f"synth {tool.value}") as advance:
        found = api.synth(loaded, progress=advance)
    board = loaded.schedule.board
    total, device, budget = (cost.as_dict() for cost in (found.total, board.device, found.budget))
    estimate = loaded.schedule.resources
    rows = [(name, *counts(cost.as_dict(), board), round(estimate[name].lut)) for name, cost in found.operators.items()]
    rows.append(("all", *counts(total, board), round(loaded.schedule.total.lut)))
    rows.append(("budget", *counts(budget, board), None))
    rows.append((f"of {board.name}", *(percent(total[name], device[name]) for name in shown(board)), None))
    report.table(table(("operator", *shown(board).values(), "estimated LUT"), rows))
    over = [f"{name.upper()}: {total[name]:,.0f} of {budget[name]:,.0f}" for name in found.over]
    if board.family != "7series":
        report.note(
            "yosys packs this board's DSP slices as those of the 7 series: pre-adders of 26 and 27 bits stay in LUTs, "
            "where Vivado has room for them"
        )
    report.say(f"Over budget: {'; '.join(over)}." if over else "Within the board's budget.")
    report.result(
        {
            "tool": tool.value,
            **total,
            "fits": not over,
            "budget": budget,
            "device": device,
            "operators": {name: cost.as_dict() for name, cost in found.operators.items()},
        }
    )
    return 1 if over else 0
