"""Schedule -> sim/: the cocotb bench, as it stands in sim/, so that a project can be simulated without penni-hls."""

from __future__ import annotations

from ...files import SIM
from ...schedule import Schedule
from ..top import ports

MEMORY_BENCH = "memory_bench.py"  # of designs that read memories
OF_BOARDS = ("axi_dma.py", "system_bench.py")  # the driver's simulation, which needs penni-hls


def emit_sim(schedule: Schedule) -> dict[str, str]:
    memories = any(port.kind == "memory" for port in ports(schedule))
    left_out = OF_BOARDS if memories else (*OF_BOARDS, MEMORY_BENCH)
    paths = [path for path in sorted(SIM.glob("*.py")) if path.name not in left_out]
    return {f"sim/{path.name}": path.read_text(encoding="utf-8") for path in paths}
