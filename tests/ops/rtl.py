"""The RTL half of the operator tests: all cases of one operator in one simulation."""

from __future__ import annotations

from pathlib import Path

from penni_hls.graph import Node
from penni_hls.tools.bench import SMOOTH, STALLS, BenchResult, OperatorRun, Phase, simulate_operators

from .cases import Case

PHASES = (SMOOTH, STALLS, Phase("starved", idle=0.9), Phase("blocked", backpressure=0.9), Phase("reset", 0.2, 0.2, 5, reset_after=61))


def simulate(cases: tuple[Case, ...], folder: Path) -> BenchResult:
    runs = [
        OperatorRun(Node(case.id, case.op, ("x",) * len(case.inputs)), case.folding, case.inputs, case.expected())
        for case in cases
    ]
    return simulate_operators(runs, PHASES, folder)


def complaints(result: BenchResult) -> list[str]:
    return [
        f"{name}, {phase.name}: {phase.complaint}"
        for name, phases in result.phases.items()
        for phase in phases
        if not phase.passed
    ]
