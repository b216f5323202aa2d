"""PandA-bambu: its command line, and its netlist under the ports that Vitis HLS makes.

Two things of a netlist are changed (as bambu 2024.10 writes them): its FIFOs hold three words whatever is declared, and
its top may have the mangled name of the C++ function.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from ...errors import ToolError
from ...target.boards import Board

COMMAND = "bambu"
CORE = "penni_core"  # what the function is called for bambu: its own name is that of the wrapper
# bambu's own name of the one Zynq that every build of it knows: timing is not what it is asked for.
DEVICE = "xc7z020-1clg484-VVD"
PLACES = 4  # of a FIFO, as bambu makes them
WRITTEN = (".v", ".sv", ".mem", ".data")  # of what it leaves: what a simulator reads
# `parameter ... QUEUESIZE_LOG=2` of the module, `.QUEUESIZE_LOG(2)` of its instances.
_QUEUE = re.compile(r"(\bQUEUESIZE_LOG\s*[=(]\s*)\d+")
_MODULE = re.compile(r"^\s*module\s+\\?([\w$]+)", re.MULTILINE)


def find() -> str | None:
    """The path of bambu; None where it is not on PATH."""
    return shutil.which(COMMAND)


def command(path: str, hls: Path, function: str, board: Board) -> list[str]:
    """The command line that makes Verilog of `function`, in the file of its name in the folder `hls`."""
    # No -std=: 2024.10 takes its own default.
    return [
        path, str(hls / f"{function}.cpp"), f"-D{function}={CORE}", f"--top-fname={CORE}",
        "--generate-interface=INFER", "--compiler=I386_CLANG16", f"--device={DEVICE}",
        f"--clock-period={1000 / board.clock_mhz:g}", "-O2", f"-I{hls}",
    ]  # fmt: skip


def collect(work: Path, wrapper: str, name: str, depth: int) -> Path:
    """What bambu left in `work` that a simulator reads, in a folder of its own, with `wrapper` around CORE.

    name: of the wrapper's file. depth: words that every FIFO is to hold. ToolError where the netlist has no such top, or
    no FIFO.
    """
    netlist = {path.name: path.read_text() for path in sorted(work.glob("*.v"))}
    module = _top(netlist, work)
    if depth > PLACES - 1 and not any(map(_QUEUE.search, netlist.values())):
        raise ToolError(f"bambu's netlist in {work} has no FIFO whose QUEUESIZE_LOG could be set: it would stand still")
    folder = work / "netlist"
    folder.mkdir()
    for path in sorted(work.iterdir()):
        if path.suffix in WRITTEN and path.name not in netlist:
            shutil.copy(path, folder)
    for file, text in netlist.items():
        (folder / file).write_text(with_depth(text, depth))
    (folder / name).write_text(re.sub(rf"\b{CORE}\b", lambda _: module, wrapper))
    return folder


def with_depth(text: str, depth: int) -> str:
    """A netlist whose FIFOs hold `depth` words or more. One of 2^n places is full with 2^n - 1 words."""
    return _QUEUE.sub(lambda found: f"{found[1]}{max(depth, PLACES - 1).bit_length()}", text)


def _top(netlist: dict[str, str], work: Path) -> str:
    """The module of the function CORE: by its name, or by what C++ makes of it (_Z, the length of the name, the name, its
    arguments), and no part of another module."""
    text = "\n".join(netlist.values())
    modules = _MODULE.findall(text)
    if CORE in modules:
        return CORE
    mangled = [name for name in modules if name.startswith(f"_Z{len(CORE)}{CORE}")]
    tops = [name for name in mangled if len(re.findall(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text)) == 1]
    if len(tops) != 1:
        found = ", ".join(sorted(tops or mangled)) or "none"
        raise ToolError(f"bambu ended well, but left no module {CORE} in {work} (by its mangled name: {found})")
    return tops[0]
