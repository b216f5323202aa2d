"""Stimulus and verdict of the cocotb bench (sim/stream_bench.py): what is fed, what is expected, what was found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...ir.fixed import IntTensor
from ...ir.graph import Node
from ...ir.images import images_of
from ...ir.ops.base import Folding, Operator
from ...ir.streams import Port as StreamPort
from ...ir.streams import Stream
from ...schedule import Link, Schedule
from ..result import Stage, silent
from ..templates import identifier
from ..top import INPUT, LOGIT, OUTPUT, TopPort, external_port, pixel_stream, ports
from ..words import bit_fields, memory_bytes
from . import verilator
from .emit import bench_design, emit_bench, emit_instance, fifo_name, hand_written
from .progress import told

PATIENCE = 20_000  # cycles in which no port and no FIFO moves before it is called a deadlock, beyond a frame's


@dataclass(frozen=True)
class Phase:
    """One pass over all frames. idle, backpressure: share of cycles in which a source offers, a sink takes nothing;
    reset_after: begin, reset after so many cycles, and begin again; window: look at the operators' counters every so many
    cycles, never where 0."""

    name: str
    idle: float = 0.0
    backpressure: float = 0.0
    seed: int = 1
    reset_after: int | None = None
    window: int = 0


SMOOTH = Phase("smooth")
STALLS = Phase("stalls", idle=0.3, backpressure=0.3, seed=2)


@dataclass(frozen=True, eq=False)
class Port:
    """A stream of the design: its signals, `bits` a word, and its words, uint8 (beats, bytes), lowest byte first."""

    name: str
    valid: str
    ready: str
    data: str
    bits: int
    words: np.ndarray
    last: str | None = None
    frames: int | None = None  # that the words are of; None: those of the design


@dataclass(frozen=True, eq=False)
class ExternalMemory:
    """A memory behind an AXI4 read port: the prefix of its signals, and what it holds."""

    prefix: str
    contents: bytes


@dataclass(frozen=True, eq=False)
class Design:
    name: str
    frames: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    memories: tuple[ExternalMemory, ...] = ()


@dataclass(frozen=True)
class Mismatch:
    port: str
    frame: int
    beat: int
    expected: str
    got: str


@dataclass(frozen=True)
class PhaseResult:
    """frame_cycles: between the last beats of consecutive frames; latency: first beat in to last beat of frame 0
    out."""

    name: str
    beats_in: dict[str, int]
    beats_out: dict[str, int]
    mismatch: Mismatch | None
    protocol: str | None
    deadlock: bool
    frame_cycles: tuple[int, ...]
    latency: int | None

    @property
    def passed(self) -> bool:
        return self.mismatch is None and self.protocol is None and not self.deadlock

    @property
    def complaint(self) -> str | None:
        """One line on what went wrong; None where nothing did."""
        if self.mismatch is not None:
            m = self.mismatch
            return f"{m.port}: frame {m.frame}, beat {m.beat}: expected {m.expected}, got {m.got}"
        if self.protocol is not None:
            return self.protocol
        if self.deadlock:
            return f"nothing moves any more; taken {self.beats_in}, given {self.beats_out}"
        return None


@dataclass(frozen=True)
class BenchResult:
    """phases: of each design by its name. high_water: most words ever held, by the FIFO's path in the design. activity:
    of each look at the operators' counters, the cycles since the reset, and for how many of them each was starved and
    blocked."""

    phases: dict[str, tuple[PhaseResult, ...]]
    high_water: dict[str, int]
    activity: tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...] = ()


def tensor_words(values: np.ndarray, stream: Stream) -> np.ndarray:
    """values (N, *spec.shape) in the order and form in which they cross a stream."""
    return bit_fields(stream.beats(values), stream.spec.qtype.bits)


def _axis(port: TopPort, words: np.ndarray, last: bool = False) -> Port:
    """An AXI4-Stream port of a top."""
    signals = (f"{port.name}_{signal}" for signal in ("TVALID", "TREADY", "TDATA"))
    return Port(port.name, *signals, port.bits, words, f"{port.name}_TLAST" if last else None)


def _externals(
    ports: Sequence[TopPort], frames: Callable[[TopPort], int]
) -> tuple[tuple[Port, ...], tuple[ExternalMemory, ...]]:
    """What the external ports among `ports` are fed in so many frames each, and what their memories hold."""
    streams, memories = [], []
    for port in ports:
        if port.external is None:
            continue
        data, size = memory_bytes(port.external.contents), port.bits // 8
        if port.kind == "memory":
            memories.append(ExternalMemory(port.name, data))
        else:
            words = np.frombuffer(frames(port) * data, np.uint8).reshape(frames(port) * port.words, -1)
            streams.append(_axis(port, words[:, :size]))
    return tuple(streams), tuple(memories)


def run_bench(
    model: verilator.Model, designs: Sequence[Design], phases: Sequence[Phase], folder: Path, *,
    clock: str = "clk_i", reset: str = "rst_ni", fifos: Sequence[str] = (), operators: Sequence[str] = (),
    memories: Sequence[Path] = (), patience: int = PATIENCE, cycles: int = 0, stage: Stage = silent,
) -> BenchResult:  # fmt: skip
    """Play `designs`, all ports of model's top, and return what was found. `memories` are put where the model reads them.

    cycles: predicted for a phase; stage is then told how far a long run is.
    """
    folder = folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in memories:
        shutil.copy(path, folder / path.name)
    spec = {
        "clock": clock, "reset": reset, "fifos": list(fifos), "operators": list(operators), "patience": patience,
        "phases": [asdict(phase) for phase in phases],
        "designs": [
            {
                "name": design.name, "frames": design.frames,
                "inputs": [_write_port(folder, design, port) for port in design.inputs],
                "outputs": [_write_port(folder, design, port) for port in design.outputs],
                "memories": [_write_memory(folder, memory) for memory in design.memories],
            }
            for design in designs
        ],
    }  # fmt: skip
    (folder / "bench.json").write_text(json.dumps(spec, indent=1))
    test = "memory_bench" if any(design.memories for design in designs) else "stream_bench"
    with told(folder / "progress.json", [phase.name for phase in phases], cycles, stage):
        verilator.run(model, test, folder, env={"PENNI_BENCH": str(folder / "bench.json")})
    return read_result(folder / "result.json")


def _write_port(folder: Path, design: Design, port: Port) -> dict:
    file = f"{design.name}_{port.name}.npy"
    np.save(folder / file, port.words)
    keys = ("name", "valid", "ready", "data", "bits", "last")
    frames = design.frames if port.frames is None else port.frames
    return {key: getattr(port, key) for key in keys} | {"file": file, "frames": frames}


def _write_memory(folder: Path, memory: ExternalMemory) -> dict:
    file = f"{memory.prefix}.bin"
    (folder / file).write_bytes(memory.contents)
    return {"prefix": memory.prefix, "file": file}


def read_result(path: Path) -> BenchResult:
    data = json.loads(path.read_text())
    phases = {
        design["name"]: tuple(
            PhaseResult(**{
                **phase,
                "mismatch": phase["mismatch"] and Mismatch(**phase["mismatch"]),
                "frame_cycles": tuple(phase["frame_cycles"]),
            })
            for phase in design["phases"]
        )
        for design in data["designs"]
    }  # fmt: skip
    activity = tuple((cycle, tuple(starved), tuple(blocked)) for cycle, starved, blocked in data["activity"])
    return BenchResult(phases, data["high_water"], activity)


@dataclass(frozen=True, eq=False)
class OperatorRun:
    """One operator to be simulated alone: its node, its folding, what goes in and what must come out."""

    node: Node[Operator]
    folding: Folding
    inputs: tuple[IntTensor, ...]
    expected: IntTensor


def operator_design(run: OperatorRun) -> Design:
    op, folding, frames = run.node.op, run.folding, len(run.expected.values)
    design = identifier(run.node.name)

    def port(port: StreamPort, values: np.ndarray, ends: tuple[str, str, str]) -> Port:
        signals = (f"{design}_{port.name}_{end}" for end in ends)
        return Port(port.name, *signals, port.stream.bits, tensor_words(values, port.stream), frames=len(values))

    inputs = (
        port(sink, tensor.values, ("valid_i", "ready_o", "data_i"))
        for sink, tensor in zip(op.inputs(folding), run.inputs)
    )
    outputs = (
        port(out, op.given(run.expected, number).values, ("valid_o", "ready_i", "data_o"))
        for number, out in enumerate(op.outputs(folding))
    )
    streams, memories = _externals([external_port(run.node.name, e) for e in op.externals(folding)], lambda _: frames)
    return Design(design, frames, (*inputs, *streams), tuple(outputs), memories)


def simulate_operators(
    runs: Sequence[OperatorRun], phases: Sequence[Phase], folder: Path, *, waves: bool = False, patience: int = 5_000
) -> BenchResult:
    """Simulate operators side by side in one model, built in `folder`."""
    files = hand_written()
    for run in runs:
        files |= emit_instance(run.node, run.folding)
    top = "penni_bench"
    files["rtl/penni_bench.sv"] = emit_bench(top, tuple(bench_design(run.node, run.folding) for run in runs))
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    sources = [folder / name for name in sorted(files) if name.endswith(".sv")]
    model = verilator.build([path.resolve() for path in sources], top, folder / "model", waves=waves)
    memories = [folder / name for name in sorted(files) if name.endswith(".mem")]
    return run_bench(
        model, [operator_design(run) for run in runs], phases, folder / "run", memories=memories, patience=patience
    )


def top_design(schedule: Schedule, images: np.ndarray, logits: np.ndarray) -> Design:
    """The whole accelerator: images (N, H, W, C) in, logits (N, 1, 1, classes) out, by the port names of penni_top."""
    top = {port.name: port for port in ports(schedule)}
    graph, frames = schedule.graph, len(images)
    seen: dict[str | None, int] = {**images_of(graph, frames)}
    pixels = tensor_words(images, pixel_stream(schedule))
    results = bit_fields(Stream(graph.output.op.out_spec).beats(logits), LOGIT.bits)
    streams, memories = _externals(tuple(top.values()), lambda port: seen[port.node])
    inputs = (_axis(top[INPUT], pixels), *streams)
    return Design("top", frames, inputs, (_axis(top[OUTPUT], results, last=True),), memories)


TRACK = {"TRACK": 1}  # parameters of our own penni_top: it counts how full FIFOs get and for how long operators wait


def fifo_paths(schedule: Schedule) -> dict[str, Link]:
    """Where the counters of each link's FIFO are found in penni_top."""
    return {f"u_{fifo_name(schedule, link)}.gen_track": link for link in schedule.links}


def activity_paths(schedule: Schedule) -> tuple[str, ...]:
    """Where the counters of each operator are found in penni_top, in the order of schedule.instances."""
    return tuple(f"gen_activity_{identifier(node.name)}.u_activity.gen_track" for node in schedule.instances)


def simulate_top(
    model: verilator.Model, schedule: Schedule, images: np.ndarray, logits: np.ndarray, phases: Sequence[Phase],
    folder: Path, *, memories: Sequence[Path] = (), track: bool = True, slower: int = 1, stage: Stage = silent,
) -> BenchResult:  # fmt: skip
    """Play images through a built penni_top. BenchResult.phases has one entry, `top`.

    Where the FIFOs are not tracked, ports may be still while a frame goes through one operator after the other, `slower`
    times as long as predicted.
    """
    frame = schedule.cycles_per_image
    still = frame if track else slower * sum(schedule.cycles.values())
    return run_bench(
        model, [top_design(schedule, images, logits)], phases, folder, clock="ap_clk", reset="ap_rst_n",
        fifos=tuple(fifo_paths(schedule)) if track else (), operators=activity_paths(schedule) if track else (),
        memories=memories, patience=PATIENCE + 2 * still, cycles=(len(images) + 1) * frame, stage=stage,
    )  # fmt: skip
