"""Design -> vivado/: a script that puts processor, DMA and accelerator together and makes a bitstream."""

from __future__ import annotations

from dataclasses import dataclass

from ..design import Design
from ..rtl.signals import Signal, signals
from ..templates import render
from ..top import TopPort, ports


@dataclass(frozen=True)
class PortView:
    """A port that an operator brings. bus: Vivado's name of its interface."""

    name: str
    bus: str
    signals: tuple[Signal, ...]


def emit_vivado(design: Design) -> dict[str, str]:
    """The block design and the wrapper that it takes. Ports that operators bring leave the block design as its own."""
    brought = [_view(port) for port in ports(design.schedule) if port.external]
    return {
        "vivado/build.tcl": render(
            "vivado/build.tcl.j2", name=design.name, board=design.schedule.board, brought=brought
        ),
        "vivado/penni_axis.v": render("vivado/penni_axis.v.j2", brought=brought),
    }


def _view(port: TopPort) -> PortView:
    return PortView(port.name, "aximm" if port.kind == "memory" else "axis", signals(port))
