"""The RTL half of the operator tests: all cases of one operator in one simulation."""

from __future__ import annotations

from pathlib import Path

from penni_hls.backends.rtl.bench import SMOOTH, STALLS, BenchResult, OperatorRun, Phase, simulate_operators
from penni_hls.ir.graph import Node

from .cases import FRAMES, Case

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
