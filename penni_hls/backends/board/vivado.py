"""Schedule -> vivado/: a script that puts processor, DMA and accelerator together and makes a bitstream."""

from __future__ import annotations

from ...schedule import Schedule
from ..templates import render


def emit_vivado(schedule: Schedule, name: str) -> dict[str, str]:
    return {
        "vivado/build.tcl": render("vivado/build.tcl.j2", name=name, board=schedule.board),
        "vivado/penni_axis.v": render("vivado/penni_axis.v.j2"),
    }
