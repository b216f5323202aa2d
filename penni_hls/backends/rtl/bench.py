"""Stimulus and verdict of the cocotb bench (sim/stream_bench.py): what is fed, what is expected, what was found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...ir.fixed import IntTensor
from ...ir.graph import Graph, Node, TensorSpec
from ...ir.ops.base import Folding, HardwareOp
from ...ir.streams import beats
from ...schedule import Link, Schedule
from ..words import bit_fields
from . import verilator
from .emit import bench_design, emit_bench, emit_instance, fifo_name, hand_written

PATIENCE = 200_000  # cycles in which nothing moves before it is called a deadlock


@dataclass(frozen=True)
class Phase:
    """One pass over all frames. idle, backpressure: share of cycles in which a source offers, a sink takes nothing;
    reset_after: begin, reset after so many cycles, and begin again."""

    name: str
    idle: float = 0.0
    backpressure: float = 0.0
    seed: int = 1
    reset_after: int | None = None


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


@dataclass(frozen=True, eq=False)
class Design:
    name: str
    frames: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


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
    """phases: of each design by its name. high_water: most words ever held, by the FIFO's path in the design."""

    phases: dict[str, tuple[PhaseResult, ...]]
    high_water: dict[str, int]


def tensor_words(tensor: IntTensor, spec: TensorSpec, q: int) -> np.ndarray:
    """A tensor (N, *spec.shape) in the order and form in which it crosses a stream."""
    return bit_fields(beats(tensor.values, spec, q), spec.qtype.bits)


def run_bench(
    model: verilator.Model, designs: Sequence[Design], phases: Sequence[Phase], folder: Path, *,
    clock: str = "clk_i", reset: str = "rst_ni", fifos: Sequence[str] = (), memories: Sequence[Path] = (),
    patience: int = PATIENCE,
) -> BenchResult:  # fmt: skip
    """Play `designs`, all ports of model's top, and return what was found. `memories` are put where the model reads them."""
    folder = folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in memories:
        shutil.copy(path, folder / path.name)
    spec = {
        "clock": clock, "reset": reset, "fifos": list(fifos), "patience": patience,
        "phases": [asdict(phase) for phase in phases],
        "designs": [
            {
                "name": design.name, "frames": design.frames,
                "inputs": [_write_port(folder, design, port) for port in design.inputs],
                "outputs": [_write_port(folder, design, port) for port in design.outputs],
            }
            for design in designs
        ],
    }  # fmt: skip
    (folder / "bench.json").write_text(json.dumps(spec, indent=1))
    verilator.run(model, "stream_bench", folder, env={"PENNI_BENCH": str(folder / "bench.json")})
    return read_result(folder / "result.json")


def _write_port(folder: Path, design: Design, port: Port) -> dict:
    file = f"{design.name}_{port.name}.npy"
    np.save(folder / file, port.words)
    keys = ("name", "valid", "ready", "data", "bits", "last")
    return {key: getattr(port, key) for key in keys} | {"file": file}


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
    return BenchResult(phases, data["high_water"])


@dataclass(frozen=True, eq=False)
class OperatorRun:
    """One operator to be simulated alone: its node, its folding, what goes in and what must come out."""

    node: Node[HardwareOp]
    folding: Folding
    inputs: tuple[IntTensor, ...]
    expected: IntTensor


def operator_design(run: OperatorRun) -> Design:
    design, op, q = bench_design(run.node, run.folding), run.node.op, run.folding.q
    inputs = tuple(
        Port(
            sink.name, *(f"{design.name}_{sink.name}_{end}" for end in ("valid_i", "ready_o", "data_i")), sink.width,
            tensor_words(tensor, spec, q),
        )
        for sink, spec, tensor in zip(design.sinks, op.in_specs, run.inputs)
    )  # fmt: skip
    words = tensor_words(run.expected, op.out_spec, q)
    outputs = tuple(
        Port(
            out.name,
            *(f"{design.name}_{out.name}_{end}" for end in ("valid_o", "ready_i", "data_o")),
            design.out_width,
            words,
        )
        for out in design.outputs
    )
    return Design(design.name, len(run.expected.values), inputs, outputs)


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


def top_design(graph: Graph[HardwareOp], images: np.ndarray, logits: np.ndarray) -> Design:
    """The whole accelerator: images (N, H, W, C) in, logits (N, 1, 1, classes) out, by the port names of penni_top."""
    spec, out = graph.input.op.out_spec, graph.output.op.out_spec
    in_bits, out_bits = 8 * -(-spec.qtype.bits // 8), 32 * -(-out.qtype.bits // 32)
    source = Port(
        "s_axis", "s_axis_TVALID", "s_axis_TREADY", "s_axis_TDATA", in_bits, bit_fields(beats(images, spec, 1), in_bits)
    )
    sink = Port(
        "m_axis", "m_axis_TVALID", "m_axis_TREADY", "m_axis_TDATA", out_bits, bit_fields(beats(logits, out, 1), out_bits),
        last="m_axis_TLAST",
    )  # fmt: skip
    return Design("top", len(images), (source,), (sink,))


def build_top(sources: Sequence[Path], folder: Path, *, track: bool = True, waves: bool = False) -> verilator.Model:
    """Build penni_top from `sources`; `track`: it is ours and counts how full its FIFOs get."""
    return verilator.build(sources, "penni_top", folder, parameters={"TRACK": 1} if track else {}, waves=waves)


def fifo_paths(schedule: Schedule) -> dict[str, Link]:
    """Where the fill level of each link's FIFO is found in penni_top."""
    return {f"u_{fifo_name(link)}.gen_track.high_water_q": link for link in schedule.links}


def simulate_top(
    model: verilator.Model, schedule: Schedule, images: np.ndarray, logits: np.ndarray, phases: Sequence[Phase],
    folder: Path, *, memories: Sequence[Path] = (), track: bool = True,
) -> BenchResult:  # fmt: skip
    """Play images through a built penni_top. BenchResult.phases has one entry, `top`."""
    return run_bench(
        model, [top_design(schedule.graph, images, logits)], phases, folder, clock="ap_clk", reset="ap_rst_n",
        fifos=tuple(fifo_paths(schedule)) if track else (), memories=memories,
    )  # fmt: skip
