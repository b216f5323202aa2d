"""`penni-hls synth --tool vitis`: what Vitis HLS reports of the C++, beside what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from .. import api
from ..api import Project, Suite, Synthesized
from ..report.console import Reporter
from ..report.tables import table

SHOWN = ("lut", "dsp", "bram36")  # resources in the table, each beside its estimate


def synth_vitis(project: Project, report: Reporter) -> int:
    """Exit 1 where an operator has no report, or a loop begins an iteration less often than it should."""
    with report.progress("synth vitis") as advance:
        suite = api.synth_vitis(project, progress=advance)
    rows = [(name, *_row(one)) for name, one in suite.found.items()]
    columns = ("operator", "II", "cycles", "pred.", "LUT", "est.", "DSP", "est.", "BRAM", "est.", "ns")
    report.table(table(columns, rows))
    for line in _complaints(suite):
        report.say(line)
    if suite.passed:
        report.say("Every loop is pipelined as it should be.")
    report.result(
        {
            "tool": "vitis", "passed": suite.passed, "failed": suite.failed,
            "operators": {name: _json(one) for name, one in suite.found.items()},
        }
    )  # fmt: skip
    return 0 if suite.passed else 1


def _row(one: Synthesized) -> tuple[object, ...]:
    have, estimate = one.report.resources.as_dict(), one.estimate.as_dict()
    pairs = (
        value for name in SHOWN for value in (have[name], estimate[name] if name == "bram36" else round(estimate[name]))
    )
    intervals = [loop.ii for loop in one.report.loops]
    return (max(intervals, default=None), one.report.interval, one.cycles, *pairs, f"{one.report.estimated:.2f}")


def _complaints(suite: Suite) -> list[str]:
    lines = [f"{name}: not synthesized: {why}" for name, why in suite.failed.items()]
    for name, one in suite.found.items():
        if not one.report.loops:
            lines.append(f"{name}: no loop of it was pipelined")
        for loop, due in one.slow:
            lines.append(f"{name}: loop {loop.name} in {loop.module} begins every {loop.ii} cycles, not every {due}")
        if one.report.too_long:
            limit = f"{one.report.period:.2f} ns, the clock less its uncertainty"
            lines.append(f"note: {name}: a path of {one.report.estimated:.2f} ns is longer than {limit}")
    return lines


def _json(one: Synthesized) -> Mapping[str, Any]:
    report = one.report
    return {
        "cycles": report.interval, "latency": report.latency, "predicted_cycles": one.cycles,
        "estimated_ns": report.estimated, "allowed_ns": report.period, **report.resources.as_dict(),
        "estimate": one.estimate.as_dict(), "loops": [asdict(loop) for loop in report.loops],
        "slow": [{**asdict(loop), "expected": due} for loop, due in one.slow],
    }  # fmt: skip
