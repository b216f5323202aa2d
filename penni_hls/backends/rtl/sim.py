"""Schedule -> sim/: the cocotb bench, as it stands in sim/, so that a project can be simulated without penni-hls."""

from __future__ import annotations

from ...files import SIM
from ...schedule import Schedule
from ..top import ports

MEMORY_BENCH = "memory_bench.py"  # of designs that read memories


def emit_sim(schedule: Schedule) -> dict[str, str]:
    memories = any(port.kind == "memory" for port in ports(schedule))
    paths = [path for path in sorted(SIM.glob("*.py")) if memories or path.name != MEMORY_BENCH]
    return {f"sim/{path.name}": path.read_text(encoding="utf-8") for path in paths}
