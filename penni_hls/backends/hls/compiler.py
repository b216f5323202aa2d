"""The generated C++ -> Verilog, by Vitis HLS or by bambu, whichever is on PATH (Vitis HLS first).

Neither is part of the project; both are only called. The Verilog reads its ROM contents from files beside it, by
relative names: simulate it in `Netlist.directory`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from ...errors import ToolError
from ...target.boards import Board
from ..children import execute, full_disk
from ..top import TOP
from .emit import BAMBU_CORE

TAIL = 3  # lines of a log that an error shows
# bambu's own name of the one Zynq that every build of it knows: timing is not what it is asked for.
BAMBU_DEVICE = "xc7z020-1clg484-VVD"


@dataclass(frozen=True)
class Netlist:
    """Verilog of `penni_top` with the ports that Vitis HLS makes, and its ROM contents, in one folder.

    style: "vitis", or "bambu", whose own block lies in a wrapper.
    """

    directory: Path
    style: str
    files: tuple[Path, ...]


def find() -> tuple[str, str]:
    """(style, path) of the HLS compiler that is here."""
    for style, command in (("vitis", "vitis_hls"), ("bambu", "bambu")):
        path = shutil.which(command)
        if path is not None:
            return style, path
    raise ToolError("neither vitis_hls nor bambu was found on PATH; one of them turns the C++ into Verilog")


def synthesize(hls: Path, board: Board, work: Path) -> Netlist:
    """Turn the generated folder `hls` into Verilog, below `work`, which is emptied first."""
    style, command = find()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    hls, work = hls.resolve(), work.resolve()
    if style == "vitis":
        _run([command, "-f", str(hls / "build.tcl"), "csim=0 export=0"], work)
        directory, top = work / "build" / "solution" / "syn" / "verilog", TOP
    else:
        _run(_bambu(command, hls, board), work)
        directory, top = work, BAMBU_CORE
    if not (directory / f"{top}.v").is_file():
        raise ToolError(f"{Path(command).name} ended well, but left no {top}.v in {directory}")
    if style == "bambu":
        directory = _wrapped(hls, work)
    return Netlist(directory, style, tuple(sorted(directory.glob("*.v"))))


def _wrapped(hls: Path, work: Path) -> Path:
    """What bambu left in `work` that a simulator reads, together with the wrapper."""
    folder = work / "netlist"
    folder.mkdir()
    for path in sorted(work.iterdir()):
        if path.suffix in (".v", ".mem"):
            shutil.copy(path, folder)
    shutil.copy(hls / "bambu" / f"{TOP}.v", folder)
    return folder


def _bambu(command: str, hls: Path, board: Board) -> list[str]:
    # No -std=: 2024.10 takes its own default.
    return [
        command, str(hls / f"{TOP}.cpp"), f"-D{TOP}={BAMBU_CORE}", f"--top-fname={BAMBU_CORE}",
        "--generate-interface=INFER", "--compiler=I386_CLANG16", f"--device={BAMBU_DEVICE}",
        f"--clock-period={1000 / board.clock_mhz:g}", "-O2", f"-I{hls}",
    ]  # fmt: skip


def _run(command: list[str], work: Path) -> None:
    name = Path(command[0]).name
    log = work / f"{name}.log"
    try:
        with log.open("w", encoding="utf-8", errors="replace") as out:
            done = execute(command, cwd=work, log=out)
    except OSError as error:
        raise ToolError(f"{name} could not be run: {error.strerror}") from None
    if done.returncode:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
        said = full_disk("\n".join(lines), work) or " / ".join(lines[-TAIL:]) or "it said nothing"
        raise ToolError(f"{name} failed with status {done.returncode}: {said} (all of it: {log})")
