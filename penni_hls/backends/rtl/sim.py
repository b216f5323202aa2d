"""Schedule -> sim/: the cocotb bench, as it stands in sim/, so that a project can be simulated without penni-hls."""

from __future__ import annotations

from ...files import SIM
from ...schedule import Schedule


def emit_sim(schedule: Schedule) -> dict[str, str]:
    return {f"sim/{path.name}": path.read_text(encoding="utf-8") for path in sorted(SIM.glob("*.py"))}
