"""Design -> vivado/: the scripts, the same for every project, and the file that says in what this one differs."""

from __future__ import annotations

from ...files import HW
from ..design import Design
from ..templates import render
from ..top import ports


def emit_vivado(design: Design) -> dict[str, str]:
    """Ports that operators bring leave the block design as its own."""
    files = {f"vivado/{path.name}": path.read_text(encoding="utf-8") for path in sorted((HW / "vivado").glob("*.tcl"))}
    files["vivado/settings.tcl"] = render(
        "vivado/settings.tcl.j2",
        name=design.name,
        board=design.schedule.board,
        input_bits=design.shell.input_bits,
        external=[port.name for port in ports(design.schedule) if port.external],
    )
    return files
