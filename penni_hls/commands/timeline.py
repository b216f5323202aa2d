"""`penni-hls timeline`: when each operator works on the first image, as predicted."""

from __future__ import annotations

from .. import api
from ..report.console import Reporter
from ..report.tables import table
from .options import Json, ProjectDir

CELLS = 44  # of a bar


def timeline(project: ProjectDir, as_json: Json = False) -> int:
    """Show when each operator works on the first image, in clock cycles, as the model of the pipeline predicts it.

    \b
    Examples:
      penni-hls timeline build/r20
      penni-hls timeline build/r20 --json
    """
    report = Reporter(as_json)
    schedule = api.load(project).schedule
    prediction, spans = schedule.prediction, schedule.prediction.spans
    instances = [node.name for node in schedule.instances]
    rows = [(name, _bar(*spans[name], prediction.latency), *spans[name]) for name in instances]
    report.table(table(("operator", "first image", "begins", "ends"), rows, left=2))
    report.say(
        f"{prediction.latency:,} cycles from the first pixel to the last result; then an image every "
        f"{prediction.cycles_per_image:,} cycles."
    )
    report.result(
        {
            "cycles_per_image": prediction.cycles_per_image,
            "latency": prediction.latency,
            "operators": [{"name": name, "begins": spans[name][0], "ends": spans[name][1]} for name in instances],
        }
    )
    return 0


def _bar(begins: int, ends: int, whole: int) -> str:
    first, last = (min(CELLS - 1, CELLS * cycle // whole) for cycle in (begins, max(begins, ends - 1)))
    return " " * first + "█" * (last - first + 1) + " " * (CELLS - 1 - last)
