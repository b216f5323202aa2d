"""Vitis HLS: the command that runs a generated build.tcl.

Releases until 2024.2 have `vitis_hls`; from 2025.1 on there is only `vitis-run`, which passes no arguments to a script. So
what the script is to do stands in the environment, for both alike.
"""

from __future__ import annotations

import shutil
from pathlib import Path

COMMANDS = ("vitis_hls", "vitis-run")
OPTIONS = "PENNI_HLS"  # the variable that build.tcl reads
REPORTS = Path("build", "solution", "syn", "report")  # within the folder in which it ran
VERILOG = Path("build", "solution", "syn", "verilog")


def find() -> str | None:
    """The path of Vitis HLS; None where it is not on PATH."""
    return next((path for path in map(shutil.which, COMMANDS) if path is not None), None)


def command(path: str, script: Path) -> list[str]:
    """The command line that runs `script` by the Vitis HLS at `path`."""
    if Path(path).name == "vitis-run":
        return [path, "--mode", "hls", "--tcl", str(script)]
    return [path, "-f", str(script)]


def options(**given: int | str) -> dict[str, str]:
    """The environment that tells the script what to do."""
    return {OPTIONS: " ".join(f"{name}={value}" for name, value in given.items())}
