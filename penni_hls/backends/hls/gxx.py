"""C simulation: the generated C++ compiled by g++ against the ap_int headers that hls4ml ships, and run.

Two ways of building the same sources, machine integers (proven equal), or `exact`: ap_int and ap_uint, every width as in
hardware. Two ways of running a frame, the functions one after the other over streams of any depth: fast; or bounded, each
function a coroutine, each stream as deep as declared: a deadlock shows, with the streams' names.
"""

from __future__ import annotations

import concurrent.futures
import importlib.util
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import PenniError, ToolError
from ...ir.fixed import IntTensor
from ...ir.ops.base import Folding, Operator
from ...ir.streams import Stream
from ...locks import free_folder
from ...schedule import Schedule
from ..cache import built, key_of
from ..children import Finished, execute, full_disk
from ..result import Stage, silent
from ..top import INPUT, LOGIT, OUTPUT, TOP, external_port, pixel_stream, ports
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
    """What the test bench said. outputs: bytes of each output port. traces: of each stream, by name; {} if not traced."""

    outputs: dict[str, bytes]
    seconds: float
    frames: int
    streams: dict[str, StreamUse]
    traces: dict[str, bytes]

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


def build(hls: Path, work: Path, *, exact: bool = False, stage: Stage = silent) -> Path:
    """Compile the generated folder `hls` in `work` -> the test bench. Nothing is done where it is there already."""
    gxx, headers = compiler(), ap_types()
    hls, work = hls.absolute(), work.absolute()  # no argument begins with "-" or "@", whatever the folder's name
    defines = ["-DPENNI_CSIM", *([] if exact else ["-DPENNI_NATIVE"])]
    include = [f"-I{hls}", f"-I{hls / 'csim'}", "-isystem", str(headers)]
    command = [gxx, "-O1" if exact else "-O3", *FLAGS, *defines, *include]
    folder = work / f"csim{'-exact' if exact else ''}"

    def compile_all(folder: Path) -> None:
        units = _units(hls, folder)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda unit: _compile([*command, "-c", str(unit), "-o", str(_object(folder, unit))]), units))
        _compile([gxx, *(str(_object(folder, unit)) for unit in units), "-o", str(folder / "testbench")])

    sources = [path for path in sorted(hls.rglob("*")) if path.suffix in (".cpp", ".hpp", ".h")]
    return built(folder, key_of(command, sources, hls), compile_all, stage) / "testbench"


def run(
    bench: Path,
    top: str,
    frames: int,
    inputs: Mapping[str, bytes],
    work: Path,
    *,
    bounded: int = 0,
    trace: bool = False,
) -> Run:
    """Run `top` for `frames` frames, the first `bounded` with streams as deep as declared; inputs: bytes of each input
    port, as `words.pack` makes them.

    Files are exchanged in `work`, or beside it where another process uses that.
    """
    with free_folder(work.absolute()) as folder:
        return _run(bench, top, frames, inputs, folder, bounded, trace)


def _run(bench: Path, top: str, frames: int, inputs: Mapping[str, bytes], work: Path, bounded: int, trace: bool) -> Run:
    folders = {name: work / name for name in ("in", "out", "trace")}
    for folder in folders.values():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for port, data in inputs.items():
        (folders["in"] / f"{port}.bin").write_bytes(data)
    arguments = [str(bench), "--bounded", str(bounded), top, str(frames), str(folders["in"]), str(folders["out"])]
    done = _execute([*arguments, str(folders["trace"])] if trace else arguments)
    if done.returncode in STUCK:
        raise Stuck(f"C simulation of {top}: {_last_line(done.stderr)}")
    if done.returncode:
        why = full_disk(done.stderr, work) or _last_line(done.stderr)
        raise ToolError(f"C simulation of {top} ended with status {done.returncode}: {why}")
    said = json.loads(done.stdout)
    outputs, traces = (
        {path.stem: path.read_bytes() for path in sorted(folders[name].glob("*.bin"))} for name in ("out", "trace")
    )
    use = {name: StreamUse(**figures) for name, figures in said["streams"].items()}
    return Run(outputs, said["seconds"], frames, use, traces)


def csim(
    schedule: Schedule, hls: Path, work: Path, images: np.ndarray, *, bounded: bool = False, exact: bool = False,
    trace: bool = False,
) -> tuple[np.ndarray, Run]:  # fmt: skip
    """Simulate the network in `hls`. images (N, H, W, C) uint8 -> logits (N, classes) int64, and how it went.

    bounded: in all images, not only the first, streams are as deep as declared."""
    bench = build(hls, work, exact=exact)
    pixels = pixel_stream(schedule)
    frames = -(-len(images) // schedule.copies)  # a call takes an image for each copy of the network
    inputs = {INPUT: pack(pixels.beats(_filled(images, frames * schedule.copies)), pixels.spec.qtype)}
    brought = {port.name: port.external.contents for port in ports(schedule) if port.external}
    inputs |= {name: frames * memory_bytes(contents) for name, contents in brought.items()}
    done = run(bench, TOP, frames, inputs, work / "csim-run", bounded=frames if bounded else 1, trace=trace)
    logits = unpack(done.outputs[OUTPUT], 1, LOGIT).reshape(frames * schedule.copies, -1)[: len(images)]
    return logits.astype(np.int64), done


def _filled(values: np.ndarray, count: int) -> np.ndarray:
    """values (n, ...) -> (count, ...), zeros behind."""
    return np.concatenate([values, np.zeros((count - len(values), *values.shape[1:]), values.dtype)])


def tensors(schedule: Schedule, done: Run) -> Iterable[tuple[Edge, np.ndarray]]:
    """What crossed each stream of a traced run, in graph order: (N, *spec.shape) in the dtype of its type, of all images
    of its calls."""
    if not done.traces:
        raise ValueError("the run was not traced")
    for edge in streams(schedule):
        yield edge, _tensor(done.traces[edge.name], edge.stream)


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
    """Simulate operators alone, all in one build. -> by name what each output port gave: (N, *out_spec.shape).

    project: as in `write_operators`."""
    hls = write_operators({name: (alone.op, alone.folding) for name, alone in operators.items()}, work, project)
    bench = build(hls, work, exact=exact)
    return {name: _run_alone(bench, name, alone, work / "run", bounded) for name, alone in operators.items()}


def write_operators(operators: Mapping[str, tuple[Operator, Folding]], work: Path, project: Path | None = None) -> Path:
    """The C++ of operators, each a top of its own, as the folder hls/ in `work`.

    project: a generated folder whose own headers are used, as they are there."""
    files = dict(emit_operators(operators))
    for name in files if project else ():
        if Path(name).name not in TOP_HEADERS and name.endswith(".hpp") and (project / name).is_file():
            files[name] = (project / name).read_bytes()
    write_changed(files, work)
    return work / "hls"


def write_changed(files: Mapping[str, str | bytes], folder: Path) -> None:
    """Write generated files below `folder`; what else lies in the folders of theirs goes."""
    shutil.rmtree(folder / "hls", ignore_errors=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def _run_alone(bench: Path, name: str, alone: Alone, work: Path, bounded: bool) -> tuple[np.ndarray, ...]:
    op, folding, images = alone.op, alone.folding, tuple(len(tensor.values) for tensor in alone.inputs)
    frames = -(-max(images) // op.takes)
    pairs = zip(op.inputs(folding), alone.inputs, strict=True)
    inputs = {
        f"in{i}": pack(port.stream.beats(_filled(tensor.values, frames * op.takes)), tensor.qtype)
        for i, (port, tensor) in enumerate(pairs)
    }
    for external in op.externals(folding):
        inputs[external_port(name, external).name] = frames * memory_bytes(external.contents)
    done = run(bench, operator_top(name), frames, inputs, work, bounded=frames if bounded else 0)
    outputs = op.outputs(folding)
    return tuple(
        _tensor(done.outputs[f"out{i}"], port.stream)[: op.images_out(images, i)] for i, port in enumerate(outputs)
    )


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
        unit.write_text("".join(f'#include "{path.name}"\n' for path in tops[at : at + TOPS_A_UNIT]))
        units.append(unit)
    return [hls / "testbench.cpp", *units, hls / "csim" / "penni_csim.cpp"]


def _object(folder: Path, unit: Path) -> Path:
    return folder / f"{unit.stem}.o"


def _compile(command: list[str]) -> None:
    done = _execute(command)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error" in line or "undefined reference" in line]
        full = full_disk(done.stderr, Path(command[-1]).parent)
        raise ToolError(f"g++ failed: {full or (errors[0] if errors else _last_line(done.stderr))}")


def _execute(command: list[str]) -> Finished:
    try:
        return execute(command)
    except OSError as error:
        raise ToolError(f"{Path(command[0]).name} could not be run: {error.strerror}") from None


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
