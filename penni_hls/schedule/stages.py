"""What each stage of the pipeline may be built as.

A stage is the nodes that tile edges join: they must agree on the stream between them. Every combination of their
foldings that agrees is an option, with the cycles between two frames and what it costs. There are far too many to list,
but few matter: foldings are grouped by their streams and timing, and of each group, and then of a stage, only those are
kept that no other one beats in cycles and in every resource (where there are thousands, none by more than a grain). Both
are sums or maxima over the nodes, so what is beaten within a node is beaten within its stage too.

Cycles are those of `Timing.cycles`, node by node along the tiles, at least: where loading and walking a single buffer
take turns, loading takes as long as the basis convolution before it needs to give the tiles. The model of the pipeline,
which knows every row and FIFO, has the last word on the network as a whole; over thousands of options it would take
minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from operator import attrgetter

import numpy as np

from ..ir.graph import Graph, Node
from ..ir.images import frames_of
from ..ir.ops.base import Folding, Operator
from ..ir.ops.timing import Timing
from ..ir.streams import Stream
from ..target.fabric import Fabric
from ..target.resources import Resources
from ..workers import each
from .pareto import front

RESOURCES = tuple(field.name for field in fields(Resources))  # the columns of `Options.cost`
NEVER = np.int64(1 << 56)  # cycles
TOGETHER = 256  # options that are compared with all others at once
EXACT = 1000  # options of which every one that may matter is kept
GRAIN = (32, 256, 1, 0.5, 1)  # of each resource: estimates are by far not as good as that
DIGITS = 6  # of a cost: what floats differ by beyond makes no option better

_values = attrgetter(*RESOURCES)  # a row of `Options.cost`

Tiles = tuple[str, Stream]  # a stream of tiles, by the node that gives it
Open = tuple[tuple[Tiles, float], ...]  # those that are still to be read, with the cycles between their beats


@dataclass(frozen=True, eq=False)
class Options:
    """nodes: names. foldings: those of each node that `picks` (n, nodes) numbers. cycles: int64 (n,). cost: float64
    (n, resources). beaten: int64 (n,), the cycles from which on another option is as good in every resource, of equal ones
    the first; None where that was not looked at yet."""

    nodes: tuple[str, ...]
    foldings: tuple[tuple[Folding, ...], ...]
    picks: np.ndarray
    cycles: np.ndarray
    cost: np.ndarray
    beaten: np.ndarray | None = None

    def at(self, index: int) -> dict[str, Folding]:
        """The foldings of one option, by node."""
        return {name: offered[i] for name, offered, i in zip(self.nodes, self.foldings, self.picks[index])}

    def within(self, cycles: float) -> Options:
        """The options that need no more than so many cycles, and that no other one of them beats in every resource."""
        beaten = _beaten(self.cycles, self.cost) if self.beaten is None else self.beaten
        return self._only(np.flatnonzero((self.cycles <= cycles) & (beaten > min(cycles, NEVER - 1))))

    def best(self) -> Options:
        """The options that no other one beats in cycles and every resource; of very many, those that no other one beats
        at the resolution of GRAIN."""
        if len(self.cycles) <= EXACT:
            return self._only(front(np.column_stack([self.cycles, self.cost])))
        grains = np.ceil(self.cost / np.array(GRAIN))
        cheap = np.lexsort((*self.cost.T, self.cycles))  # the first of those that are equal in grains
        return self._only(cheap[front(np.column_stack([self.cycles, grains])[cheap])])

    def _only(self, rows: np.ndarray) -> Options:
        return Options(self.nodes, self.foldings, self.picks[rows], self.cycles[rows], self.cost[rows])


Known = dict[tuple[Operator, ...], Options]


def row(resources: Resources) -> np.ndarray:
    """As in `Options.cost`."""
    return np.array(_values(resources), dtype=np.float64)


def options(graph: Graph[Operator], fabric: Fabric, known: Known | None = None) -> tuple[Options, ...]:
    """Those of every stage, in graph order; cycles while as many images pass the network as it has copies.

    known: of stages seen before on this fabric, one frame each, by their operators, which copies of a network share; new
    ones are added."""
    known = {} if known is None else known
    frames = frames_of(graph)
    found, wanted = [], {tuple(node.op for node in stage): stage for stage in stages(graph)}
    new = {key: stage for key, stage in wanted.items() if key not in known}
    known |= zip(new, each(_options, [(stage, fabric) for stage in new.values()]))
    for stage in stages(graph):
        key = tuple(node.op for node in stage)
        made = replace(known[key], nodes=tuple(node.name for node in stage))  # alike, by its arrays, in all copies
        times = frames[stage[0].name]
        found.append(made if times == 1 else replace(made, cycles=times * made.cycles, beaten=times * made.beaten))
    return tuple(found)


def stages(graph: Graph[Operator]) -> list[list[Node[Operator]]]:
    """Nodes that must agree on the stream between them: those that a tiled edge joins."""
    stage_of: dict[str, list[Node[Operator]]] = {}
    for node in graph:
        if not node.op.hardware:
            continue
        joined = [stage_of[name] for name, spec in zip(node.inputs, node.op.in_specs) if spec.tiled]
        stage = [member for group in joined for member in group] + [node]
        stage_of |= {member.name: stage for member in stage}
    return list({id(stage): stage for stage in stage_of.values()}.values())


@dataclass(frozen=True, eq=False)
class _Group:
    """Foldings of a node that have the same streams and timing. rows: which of the node's; cost (n, resources)."""

    tiles_in: dict[Tiles, str]  # with the port that reads them
    tiles_out: Open
    timing: Timing
    rows: np.ndarray
    cost: np.ndarray


def _options(stage: Sequence[Node[Operator]], fabric: Fabric) -> Options:
    offered = tuple(node.op.foldings(fabric) for node in stage)
    whole = Options((), offered, np.zeros((1, 0), np.int64), np.zeros(1, np.int64), np.zeros((1, len(RESOURCES))))
    partial: dict[Open, Options] = {(): whole}
    for index, (node, foldings) in enumerate(zip(stage, offered)):
        read_later = {name for other in stage[index + 1 :] for name in other.inputs}
        groups = tuple(_groups(node, foldings, node.name in read_later))
        before, pairs = tuple(partial.values()), _agreeing(tuple(partial), groups, read_later)
        partial = {left: _joined(node.name, before, groups, those).best() for left, those in pairs.items()}
    (whole,) = partial.values()  # nothing is left to be read
    return replace(whole, beaten=_beaten(whole.cycles, whole.cost))


def _beaten(cycles: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """As in `Options`; NEVER where nothing beats it."""
    rows = np.arange(len(cycles))
    found = np.full(len(rows), NEVER)
    for start in range(0, len(rows), TOGETHER):
        part = slice(start, start + TOGETHER)
        as_good = np.ones((len(rows), len(rows[part])), bool)  # [j, i]: j is as good as i
        less = rows[:, None] < rows[part]
        for column in cost.T:
            as_good &= column[:, None] <= column[part]
            less = less | (column[:, None] < column[part])
        found[part] = np.where(as_good & less, cycles[:, None], NEVER).min(0, initial=NEVER)
    return found


def _groups(node: Node[Operator], foldings: Sequence[Folding], tiles_read: bool) -> Iterator[_Group]:
    costs = np.array([_values(node.op.cost(folding)) for folding in foldings], np.float64).round(DIGITS)
    by_timing: dict[tuple, list[int]] = {}
    for member, folding in enumerate(foldings):
        by_timing.setdefault(folding.timed, []).append(member)
    for members in by_timing.values():
        folding = foldings[members[0]]
        ends = zip(node.inputs, node.op.inputs(folding))
        timing, out = node.op.timing(folding), node.op.outputs(folding)[0]
        cost = costs[members]
        kept = front(cost)
        yield _Group(
            {(source, port.stream): port.name for source, port in ends if port.stream.spec.tiled},
            (((node.name, out.stream), timing.pace(out.name)),) if tiles_read else (),
            timing,
            np.array(members)[kept],
            cost[kept],
        )


Pairs = list[tuple[int, int, int]]  # (which open tiles, which group that reads them, its cycles at their pace)


def _agreeing(before: Sequence[Open], groups: Sequence[_Group], read_later: set[str]) -> dict[Open, Pairs]:
    """By what is still to be read behind them."""
    giving: dict[Tiles, list[tuple[int, Open]]] = {}
    for number, left in enumerate(before):
        for tiles, _ in left:
            giving.setdefault(tiles, []).append((number, left))
    result: dict[Open, Pairs] = {}
    for g, group in enumerate(groups):
        first = next(iter(group.tiles_in), None)
        for number, left in enumerate(before) if first is None else giving.get(first, ()):
            feed = {group.tiles_in[tiles]: pace for tiles, pace in left if tiles in group.tiles_in}
            if len(feed) == len(group.tiles_in):
                still = tuple(edge for edge in left if edge[0][0] in read_later) + group.tiles_out
                result.setdefault(still, []).append((number, g, group.timing.cycles(feed)))
    return result


def _joined(name: str, before: Sequence[Options], groups: Sequence[_Group], pairs: Pairs) -> Options:
    """For each of the pairs every option of the nodes before with every folding of the group. name: of the node."""
    which, group, cycles = np.array(pairs).T
    sizes = np.array([len(options.cycles) for options in before]), np.array([len(g.rows) for g in groups])
    m, n = sizes[0][which], sizes[1][group]
    pair = np.arange(len(which)).repeat(m * n)
    at = np.arange(len(pair)) - (np.cumsum(m * n) - m * n)[pair]
    old = (np.cumsum(sizes[0]) - sizes[0])[which][pair] + at // n[pair]
    new = (np.cumsum(sizes[1]) - sizes[1])[group][pair] + at % n[pair]
    picks = (np.concatenate([options.picks for options in before])[old], np.concatenate([g.rows for g in groups])[new])
    slowest = np.maximum(np.concatenate([options.cycles for options in before])[old], cycles[pair])
    cost = np.concatenate([options.cost for options in before])[old] + np.concatenate([g.cost for g in groups])[new]
    nodes, foldings = (*before[0].nodes, name), before[0].foldings
    return Options(nodes, foldings, np.column_stack(picks), slowest, cost.round(DIGITS))
