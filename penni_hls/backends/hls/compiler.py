"""The generated C++ -> Verilog, by Vitis HLS or by bambu, whichever is on PATH (Vitis HLS first).

Neither is part of the project; both are only called. The Verilog reads its ROM contents from files beside it, by
relative names: simulate it in `Netlist.directory`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import ToolError
from ...target.boards import Board
from ..children import execute, full_disk
from . import bambu, vitis

TAIL = 3  # lines of a log that an error shows


@dataclass(frozen=True)
class Netlist:
    """Verilog of a function with the ports that Vitis HLS makes, and its ROM contents, in one folder.

    style: "vitis", or "bambu", whose own block lies in a wrapper.
    """

    directory: Path
    style: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Source:
    """What is made into Verilog. hls: the generated folder; function: the top, in the file of its name. wrapper: Verilog
    of that name around bambu's block. depth: the words of the deepest stream."""

    hls: Path
    function: str
    wrapper: str
    depth: int


def find() -> tuple[str, str]:
    """(style, path) of the HLS compiler that is here."""
    for style, path in (("vitis", vitis.find()), ("bambu", bambu.find())):
        if path is not None:
            return style, path
    raise ToolError("neither vitis_hls, vitis-run nor bambu was found on PATH; one of them turns the C++ into Verilog")


def synthesize(source: Source, board: Board, work: Path) -> Netlist:
    """Turn generated C++ into Verilog, below `work`, which is emptied first."""
    style, path = find()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    hls, work = source.hls.resolve(), work.resolve()
    if style == "vitis":
        run_vitis(path, hls, work, csim=0, export=0, top=source.function)
        directory = work / vitis.VERILOG
        if not (directory / f"{source.function}.v").is_file():
            raise ToolError(f"{Path(path).name} ended well, but left no {source.function}.v in {directory}")
    else:
        _run(bambu.command(path, hls, source.function, board), work)
        directory = bambu.collect(work, source.wrapper, f"{source.function}.v", source.depth)
    return Netlist(directory, style, tuple(sorted(directory.glob("*.v"))))


def run_vitis(path: str, hls: Path, work: Path, **options: int | str) -> None:
    """Run the build.tcl of the generated folder `hls` in the folder `work`, with these options of it."""
    _run(vitis.command(path, hls / "build.tcl"), work, vitis.options(**options))


def _run(command: list[str], work: Path, env: Mapping[str, str] | None = None) -> None:
    name = Path(command[0]).name
    log = work / f"{name}_output.log"  # Vitis HLS writes a vitis_hls.log of its own
    try:
        with log.open("w", encoding="utf-8", errors="replace") as out:
            done = execute(command, cwd=work, log=out, env=None if env is None else {**os.environ, **env})
    except OSError as error:
        raise ToolError(f"{name} could not be run: {error.strerror}") from None
    if done.returncode:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
        said = full_disk("\n".join(lines), work) or _reason(lines) or "it said nothing"
        raise ToolError(f"{name} failed with status {done.returncode}: {said} (all of it: {log})")


def _reason(lines: list[str]) -> str:
    """The first error of a log and its last line, or its last lines where none is marked as an error."""
    first = next((line for line in lines if line.lower().startswith("error")), None)
    said = lines[-TAIL:] if first is None else dict.fromkeys((first, lines[-1]))
    return " / ".join(said)
