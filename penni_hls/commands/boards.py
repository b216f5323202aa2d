"""`penni-hls boards`: the known boards."""

from __future__ import annotations

import dataclasses

from ..report.console import Reporter
from ..report.tables import table
from ..target import boards as known
from .options import Json


def boards(as_json: Json = False) -> int:
    """List the known boards. For another one, copy a board's TOML file, change it, and give its path to --board.

    \b
    Examples:
      penni-hls boards
      penni-hls generate r20_penni.pt --board my_board.toml -o build/r20
    """
    report = Reporter(as_json)
    found = [known.load(name) for name in known.names()]
    report.table(
        table(
            ("board", "device", "LUT", "FF", "DSP", "BRAM36", "URAM", "MHz"),
            ((b.name, b.part, b.lut, b.ff, b.dsp, b.bram36, b.uram, b.clock_mhz) for b in found),
            left=2,
        )
    )
    report.result({"boards": [dataclasses.asdict(board) for board in found]})
    return 0
