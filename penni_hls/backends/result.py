"""What a simulation says, and how its values are compared with the reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from ..errors import ProjectError, UsageError
from ..ir import interpreter
from ..ir.fixed import IntTensor
from ..ir.graph import Node
from ..project import Project
from .profile import Profile

Stage = Callable[[str], None]
SETTLED = 0.01  # by how much two means may differ


def silent(stage: str) -> None:
    """A Stage that reports nothing."""


@dataclass(frozen=True)
class Mismatch:
    """The first value that differs: in graph order, then by image, row, column, channel (and basis, if any)."""

    operator: str
    image: int
    row: int
    column: int
    channel: int
    basis: int | None
    expected: int
    got: int

    def __str__(self) -> str:
        basis = "" if self.basis is None else f", basis {self.basis}"
        where = f"image {self.image}, row {self.row}, column {self.column}, channel {self.channel}{basis}"
        return f"{self.operator}: {where}: expected {self.expected}, got {self.got}"

    def of_image(self, image: int) -> Mismatch:
        return replace(self, image=image)


@dataclass(frozen=True)
class Simulation:
    """How a simulation went. Cycles are None where there is no clock, or a single image.

    cycles_per_image: the mean behind the fill of the pipeline; settled: it has stopped changing.
    problem: what went wrong beside a wrong value, such as a deadlock. layer: the operator that ran alone. fifos: by
    name the words that each can hold and the most that it did. profile: what operators waited for, where that was counted.
    files: what was left to look at, such as waves.
    """

    engine: str
    images: int
    bit_exact: bool
    first_mismatch: Mismatch | None = None
    problem: str | None = None
    cycles_per_image: int | None = None
    settled: bool | None = None
    latency_cycles: int | None = None
    images_per_second: float | None = None
    layer: str | None = None
    fifos: dict[str, tuple[int, int]] | None = None
    profile: Profile | None = None
    files: tuple[str, ...] = ()

    def as_dict(self) -> dict:
        return asdict(self) | {"profile": self.profile and self.profile.as_dict()}


def steady_state(intervals: Sequence[int], fill: int, period: int = 1) -> tuple[int | None, bool | None]:
    """intervals: cycles between the ends of consecutive images; fill: images on their way at once; period: copies of the
    network that take turns, so that their intervals do. -> their mean behind the fill, and whether it has settled: both
    halves say the same. Where too few came behind the fill: the mean of the later half. The halves of a memory may take
    turns as well: where there are enough, each half has an even number of periods."""
    if not intervals:
        return None, None
    behind = intervals[fill:]
    if len(behind) < 2 * period:
        late = math.ceil(len(intervals) / 2)
        late = late // period * period or late
        return round(sum(intervals[-late:]) / late), False
    whole = 4 * period if len(behind) >= 4 * period else 2 * period
    behind = behind[len(behind) % whole :]
    half = len(behind) // 2
    first, second = (sum(part) / len(part) for part in (behind[:half], behind[half:]))
    return round(sum(behind) / len(behind)), abs(first - second) <= SETTLED * second


def compare(name: str, expected: np.ndarray, got: np.ndarray) -> Mismatch | None:
    """expected, got: (N, H, W, C) or (N, H, W, C, d) -> the first value that differs, or None."""
    if got.shape != expected.shape:
        raise ProjectError(f"{name} gave {got.shape} values where {expected.shape} are due; generate the project anew")
    different = np.argwhere(expected != got)
    if not len(different):
        return None
    at = tuple(map(int, different[0]))
    return Mismatch(name, *at[:4], at[4] if len(at) == 5 else None, int(expected[at]), int(got[at]))


def compare_logits(project: Project, images: np.ndarray, logits: np.ndarray) -> Mismatch | None:
    """logits (N, classes) of an engine against the reference's."""
    name = project.graph.output.name
    expected = interpreter.output(project.graph, images).values
    return compare(name, expected, logits.reshape(expected.shape))


def node_of(project: Project, layer: str) -> Node:
    """The operator named `layer`; UsageError, with some of the names there are, where there is none."""
    names = [node.name for node in project.schedule.instances]
    if layer not in names:
        near = [name for name in names if layer in name][:4] or names[:4]
        raise UsageError(f"no operator is called '{layer}'; there are {', '.join(near)} ... (model.json lists all)")
    return project.graph.by_name[layer]


def layer_inputs(project: Project, node: Node, images: np.ndarray) -> tuple[IntTensor, ...]:
    """What `node` reads for `images`, by the reference."""
    return project.graph.read(node.name, interpreter.run(project.graph, images, keep=set(node.inputs)))
