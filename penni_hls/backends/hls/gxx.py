"""C simulation: the generated C++ compiled by g++ against the ap_int headers that hls4ml ships, and run.

Three ways of building the same sources:

    default   machine integers (proven equal), the functions one after the other over unbounded streams: fast
    exact     ap_int and ap_uint, every width as in hardware
    bounded   each function a coroutine, each stream as deep as declared: a deadlock shows, with the streams' names
"""

from __future__ import annotations

import concurrent.futures
import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import PenniError, ToolError
from ...ir.fixed import IntTensor
from ...ir.ops.base import Folding, Operator
from ...ir.streams import Stream
from ...schedule import Schedule
from ..cache import built, key_of
from ..top import INPUT, LOGIT, OUTPUT, TOP, external_port, ports
from ..words import memory_bytes, pack, unpack
from .emit import Edge, emit_operators, operator_top, streams

# -fwrapv: sums run on modulo 2^32. The rest: labels and ap_int.h's uninitialized bits are no news.
FLAGS = ("-std=c++14", "-fwrapv", "-Wall", "-Wno-unused-label", "-Wno-uninitialized", "-Wno-maybe-uninitialized")
TOP_HEADERS = ("penni_top.hpp", "penni_ports.hpp")  # of a network; single operators have tops of their own
TOPS_A_UNIT = 16  # small tops that are compiled together: reading the headers takes longer than they do
STUCK = (3, 4)  # the bench's exit status where functions wait for each other, or one reads what never comes


class Stuck(PenniError):
    """The C++ could not go on: the message names the streams that were full or empty."""


@dataclass(frozen=True)
class StreamUse:
    """depth: words the stream can hold (0: any number). most: words it held at most."""

    depth: int
    most: int


@dataclass(frozen=True)
class Run:
    """What the test bench said. outputs: bytes of each output port. traces: the folder of the streams' words."""

    outputs: dict[str, bytes]
    seconds: float
    frames: int
    streams: dict[str, StreamUse]
    traces: Path | None

    @property
    def images_per_second(self) -> float:
        return self.frames / max(self.seconds, 1e-9)


def compiler() -> str:
    path = shutil.which("g++")
    if path is None:
        raise ToolError("g++ was not found on PATH; C simulation needs it (Debian: apt-get install g++)")
    return path


def ap_types() -> Path:
    """The folder of ap_int.h within the installed hls4ml package."""
    spec = importlib.util.find_spec("hls4ml")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "templates" / "vivado" / "ap_types"
        if (folder / "ap_int.h").is_file():
            return folder
    raise ToolError("the ap_int headers of hls4ml were not found; C simulation needs them (pip install hls4ml==1.3.0)")


def build(hls: Path, work: Path, *, bounded: bool = False, exact: bool = False) -> Path:
    """Compile the generated folder `hls` in `work` -> the test bench. Nothing is done where it is there already."""
    gxx, headers = compiler(), ap_types()
    defines = ["-DPENNI_CSIM", *(["-DPENNI_BOUNDED"] if bounded else []), *([] if exact else ["-DPENNI_NATIVE"])]
    include = [f"-I{hls}", f"-I{hls / 'csim'}", "-isystem", str(headers)]
    command = [gxx, "-O1" if exact else "-O2", *FLAGS, *defines, *include]
    folder = work / f"csim{'-bounded' if bounded else ''}{'-exact' if exact else ''}"

    def compile_all() -> None:
        units = _units(hls, folder)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda unit: _compile([*command, "-c", str(unit), "-o", str(_object(folder, unit))]), units))
        _compile([gxx, *(str(_object(folder, unit)) for unit in units), "-o", str(folder / "testbench")])

    sources = [path for path in sorted(hls.rglob("*")) if path.suffix in (".cpp", ".hpp", ".h")]
    return built(folder, key_of(command, sources, hls), compile_all) / "testbench"


def run(bench: Path, top: str, frames: int, inputs: Mapping[str, bytes], work: Path, *, trace: bool = False) -> Run:
    """Run `top` for `frames` frames; inputs: bytes of each input port, as `words.pack` makes them."""
    folders = {name: work / name for name in ("in", "out", "trace")}
    for folder in folders.values():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for port, data in inputs.items():
        (folders["in"] / f"{port}.bin").write_bytes(data)
    arguments = [str(bench), top, str(frames), str(folders["in"]), str(folders["out"])]
    done = _execute([*arguments, str(folders["trace"])] if trace else arguments)
    if done.returncode in STUCK:
        raise Stuck(f"C simulation of {top}: {_last_line(done.stderr)}")
    if done.returncode:
        raise ToolError(f"C simulation of {top} ended with status {done.returncode}: {_last_line(done.stderr)}")
    said = json.loads(done.stdout)
    outputs = {path.stem: path.read_bytes() for path in sorted(folders["out"].glob("*.bin"))}
    use = {name: StreamUse(**figures) for name, figures in said["streams"].items()}
    return Run(outputs, said["seconds"], frames, use, folders["trace"] if trace else None)


def csim(
    schedule: Schedule, hls: Path, work: Path, images: np.ndarray, *, bounded: bool = False, exact: bool = False,
    trace: bool = False,
) -> tuple[np.ndarray, Run]:  # fmt: skip
    """Simulate the network in `hls`. images (N, H, W, C) uint8 -> logits (N, classes) int64, and how it went."""
    bench = build(hls, work, bounded=bounded, exact=exact)
    pixels = Stream(schedule.graph.input.op.out_spec)
    inputs = {INPUT: pack(pixels.beats(images), pixels.spec.qtype)}
    brought = {port.name: port.external.contents for port in ports(schedule) if port.external}
    inputs |= {name: len(images) * memory_bytes(contents) for name, contents in brought.items()}
    done = run(bench, TOP, len(images), inputs, work / "csim-run", trace=trace)
    return unpack(done.outputs[OUTPUT], 1, LOGIT).reshape(len(images), -1).astype(np.int64), done


def tensors(schedule: Schedule, done: Run) -> Iterable[tuple[Edge, np.ndarray]]:
    """What crossed each stream of a traced run, in graph order: (N, *spec.shape) in the dtype of its type."""
    if done.traces is None:
        raise ValueError("the run was not traced")
    for edge in streams(schedule):
        yield edge, _tensor((done.traces / f"{edge.name}.bin").read_bytes(), edge.stream)


@dataclass(frozen=True, eq=False)
class Alone:
    """An operator to be simulated alone, with its input tensors of one or more frames."""

    op: Operator
    folding: Folding
    inputs: tuple[IntTensor, ...]


def csim_operators(
    operators: Mapping[str, Alone],
    work: Path,
    *,
    project: Path | None = None,
    bounded: bool = False,
    exact: bool = False,
) -> dict[str, tuple[np.ndarray, ...]]:
    """Simulate operators alone, all in one build. -> by name the output port(s): (N, *out_spec.shape).

    project: a generated folder whose own headers are used, as they are there."""
    hls = work / "hls"
    files = dict(emit_operators({name: (alone.op, alone.folding) for name, alone in operators.items()}))
    for name in files if project else ():
        if Path(name).name not in TOP_HEADERS and name.endswith(".hpp") and (project / name).is_file():
            files[name] = (project / name).read_bytes()
    write_changed(files, work)
    bench = build(hls, work, bounded=bounded, exact=exact)
    return {name: _run_alone(bench, name, alone, work / "run") for name, alone in operators.items()}


def write_changed(files: Mapping[str, str | bytes], folder: Path) -> None:
    """Write generated files below `folder`; what else lies in the folders of theirs goes."""
    shutil.rmtree(folder / "hls", ignore_errors=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def _run_alone(bench: Path, name: str, alone: Alone, work: Path) -> tuple[np.ndarray, ...]:
    op, folding, frames = alone.op, alone.folding, len(alone.inputs[0].values)
    pairs = zip(op.inputs(folding), alone.inputs, strict=True)
    inputs = {f"in{i}": pack(port.stream.beats(tensor.values), tensor.qtype) for i, (port, tensor) in enumerate(pairs)}
    for external in op.externals(folding):
        inputs[external_port(name, external).name] = frames * memory_bytes(external.contents)
    done = run(bench, operator_top(name), frames, inputs, work)
    outputs = op.outputs(folding)
    return tuple(_tensor(done.outputs[f"out{i}"], port.stream) for i, port in enumerate(outputs))


def _tensor(data: bytes, stream: Stream) -> np.ndarray:
    return stream.tensor(unpack(data, stream.q, stream.spec.qtype))


def _units(hls: Path, folder: Path) -> list[Path]:
    """What is compiled on its own: the bench, what it runs on, and the tops, TOPS_A_UNIT of them together."""
    tops = sorted(path for path in hls.glob("*.cpp") if path.name != "testbench.cpp")
    if len(tops) == 1:
        return [tops[0], hls / "testbench.cpp", hls / "csim" / "penni_csim.cpp"]
    units = []
    for at in range(0, len(tops), TOPS_A_UNIT):
        unit = folder / f"unit{at // TOPS_A_UNIT}.cpp"
        unit.write_text("".join(f'#include "{path.resolve()}"\n' for path in tops[at : at + TOPS_A_UNIT]))
        units.append(unit)
    return [hls / "testbench.cpp", *units, hls / "csim" / "penni_csim.cpp"]


def _object(folder: Path, unit: Path) -> Path:
    return folder / f"{unit.stem}.o"


def _compile(command: list[str]) -> None:
    done = _execute(command)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error" in line or "undefined reference" in line]
        raise ToolError(f"g++ failed: {errors[0] if errors else _last_line(done.stderr)}")


def _execute(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise ToolError(f"{Path(command[0]).name} could not be run: {error.strerror}") from None


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
