"""`penni-hls synth --tool vivado`: what Vivado makes of each operator alone, beside the estimates."""

from __future__ import annotations

from .. import api
from ..api import Project
from ..report.console import Reporter
from ..report.schedule import counts, shown
from ..report.tables import percent, table


def synth_vivado(project: Project, report: Reporter, place: bool) -> int:
    """Exit 1 where all of them together are over the board's budget."""
    with report.progress("synth vivado") as advance:
        found = api.synth_vivado(project, place=place, progress=advance)
    board, estimates = project.schedule.board, project.schedule.resources
    total, budget, device = found.total, found.budget.as_dict(), board.device.as_dict()
    rows = [
        (name, *counts(alone.used.as_dict(), board), round(estimates[name].lut), alone.fmax)
        for name, alone in found.found.items()
    ]
    used = total.used.as_dict()
    rows.append(("all", *counts(used, board), round(project.schedule.total.lut), total.fmax))
    rows.append(("budget", *counts(budget, board), None, board.clock_mhz))
    rows.append((f"of {board.name}", *(percent(used[name], device[name]) for name in shown(board)), None, None))
    report.table(table(("operator", *shown(board).values(), "est. LUT", "MHz"), rows))
    wires = "placed and routed" if found.placed else "synthesized only: wires are estimated (--place measures them)"
    report.say(f"Each operator alone, out of context, {wires}.")
    over = [f"{name.upper()}: {used[name]:,.0f} of {budget[name]:,.0f}" for name in found.over]
    report.say(f"Over budget: {'; '.join(over)}." if over else "Within the board's budget.")
    report.result(
        {
            "tool": "vivado", "placed": found.placed, **used, "fmax_mhz": total.fmax, "fits": not over, "budget": budget,
            "device": device,
            "operators": {
                name: {**alone.used.as_dict(), "fmax_mhz": alone.fmax, "estimate": estimates[name].as_dict()}
                for name, alone in found.found.items()
            },
        }
    )  # fmt: skip
    return 1 if over else 0
