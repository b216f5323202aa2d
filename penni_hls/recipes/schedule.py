"""A checkpoint -> what its network would be built as on a board, and what would fit where that does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..backends.shell import Shell
from ..ir.bits import LayerBits
from ..passes import fewer_bits as narrowing
from ..schedule import Point, Schedule, boards_that_fit, front, plan_copies
from ..target import boards
from .integers import Integers, Stage, integers

FEWER_BITS = (6, 4, 3)  # of the coefficients, looked at where a design does not fit


@dataclass(frozen=True, eq=False)
class Planned:
    """points: the front of rate and hardware; empty unless it was asked for."""

    integers: Integers
    schedule: Schedule
    points: tuple[Point, ...]


@dataclass(frozen=True)
class WouldFit:
    """What would fit instead. coef_bits: the most of FEWER_BITS that are estimated to fit; None where fewer do not help.
    images_per_second: the most on this board, where more were asked for. boards: names with images per second."""

    coef_bits: int | None
    images_per_second: float | None
    boards: dict[str, float]


def schedule(
    checkpoint: str | Path,
    *,
    board: str = "pynq-z2",
    part: str | None = None,
    usable: Mapping[str, float] | None = None,
    target_fps: float | None = None,
    copies: int | None = None,
    pareto: bool = False,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    bits: str | LayerBits | None = None,
    basis_bits: int | None = None,
    coef_bits: int | None = None,
    max_drop: float | None = None,
    calibration: str | Path | np.ndarray | None = None,
    stage: Stage = lambda name: None,
) -> Planned:
    """Plan the network of a checkpoint, with the options of `generate`, and write nothing."""
    target = boards.choose(board, part, usable)
    found = integers(
        Path(checkpoint), mean=mean, std=std, bits=bits, basis_bits=basis_bits, coef_bits=coef_bits,
        max_drop=max_drop, calibration=calibration, board=target, stage=stage,
    )  # fmt: skip
    stage("planning")
    beat = Shell().input_bits // 8
    planned, stages = plan_copies(found.quantized.graph, target, target_fps, copies, beat)
    if pareto:
        stage("looking at other rates")
    return Planned(found, planned, front(planned, stages) if pareto else ())


def would_fit(planned: Schedule) -> WouldFit:
    """What would fit in place of `planned`, at the rate that was asked for or else at any, by the operators' costs."""
    board, graph, wanted = planned.board, planned.graph, planned.proof.wanted
    fps = None if wanted is None else board.clock_mhz * 1e6 / wanted
    here = dict(boards_that_fit(graph, [board])) if planned.too_slow else {}
    known = [replace(boards.load(name), usable=board.usable) for name in boards.names() if name != board.name]
    fewer = (bits for bits in FEWER_BITS if bits < narrowing.coef_bits(graph))
    return WouldFit(
        next((bits for bits in fewer if any(boards_that_fit(narrowing.fewer_bits(graph, bits), [board], fps))), None),
        board.clock_mhz * 1e6 / here[board] if here else None,
        {other.name: other.clock_mhz * 1e6 / cycles for other, cycles in boards_that_fit(graph, known, fps)},
    )
