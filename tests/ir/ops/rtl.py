"""The RTL half of the operator tests: all cases of one operator in one simulation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from penni_hls.backends.rtl.bench import SMOOTH, STALLS, BenchResult, OperatorRun, Phase, simulate_operators
from penni_hls.ir.fixed import IntTensor
from penni_hls.ir.graph import Graph, Node, TensorSpec
from penni_hls.ir.ops.base import Folding, Operator
from penni_hls.ir.ops.timing import Stage, Step, Timing
from penni_hls.ir.streams import Port
from penni_hls.schedule import pipeline
from penni_hls.target.resources import Resources

from .cases import FRAMES, Case

ROUNDING = 0.01  # cycles that the model's floats may be off
PHASES = (
    SMOOTH,
    STALLS,
    Phase("starved", idle=0.9, seed=3),
    Phase("blocked", backpressure=0.9, seed=4),
    Phase("reset", idle=0.2, backpressure=0.2, seed=5, reset_after=61),
)


def simulate(cases: tuple[Case, ...], folder: Path) -> BenchResult:
    runs = [
        OperatorRun(Node(case.id, case.op, ("x",) * len(case.inputs)), case.folding, case.inputs, case.expected())
        for case in cases
    ]
    return simulate_operators(runs, PHASES, folder)


def check_bits(case: Case, result: BenchResult) -> None:
    """Every phase ran to its end, every beat of every frame is right, the protocol was kept."""
    phases = result.phases[case.id]
    assert [phase.name for phase in phases] == [phase.name for phase in PHASES]
    for phase in phases:
        assert phase.complaint is None, f"{phase.name}: {phase.complaint}"
        assert len(phase.frame_cycles) == FRAMES - 1


def measured_cycles(case: Case, result: BenchResult) -> int:
    """Cycles a frame without stalls, over the last two frames (two halves of a memory may take turns)."""
    return -(-sum(result.phases[case.id][0].frame_cycles[-2:]) // 2)


@dataclass(frozen=True)
class Source(Operator):
    """Gives the beats that an input port of an operator takes, one per cycle."""

    port: Port

    kind: ClassVar[str] = "source"

    @property
    def in_specs(self) -> tuple[TensorSpec, ...]:
        return ()

    @property
    def out_spec(self) -> TensorSpec:
        return self.port.stream.spec

    def outputs(self, folding: Folding) -> tuple[Port, ...]:
        return (self.port,)

    def reference(self, *inputs: IntTensor) -> IntTensor:
        raise NotImplementedError

    def timing(self, folding: Folding) -> Timing:
        beats = self.port.stream.beats_per_frame
        return Timing((Stage("source", ((1, Step(beats, gives=((self.port.name, beats),))),)),))

    def cost(self, folding: Folding) -> Resources:
        return Resources()

    def parameters(self, folding: Folding) -> dict[str, int]:
        return {}


def predicted_cycles(case: Case) -> int:
    """Cycles per frame of the operator alone, by the model of the pipeline."""
    ports = case.op.inputs(case.folding)
    sources = tuple(Node(port.name, Source(port)) for port in ports)
    graph = Graph((*sources, Node("op", case.op, tuple(port.name for port in ports))))
    foldings = {source.name: Folding() for source in sources} | {"op": case.folding}
    return math.ceil(pipeline.simulate(graph, foldings, {}).interval - ROUNDING)
