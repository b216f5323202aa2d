"""The choice of one option per stage, against every combination there is."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penni_hls.ir.graph import Graph, Node, TensorSpec
from penni_hls.ir.ops import Input, SparseMac
from penni_hls.ir.ops.base import Folding, Operator
from penni_hls.ir.ops.timing import Stage, Step, Timing
from penni_hls.schedule import choice
from penni_hls.schedule.choice import GAP, fastest, least, smallest
from penni_hls.schedule.pareto import front
from penni_hls.schedule.pipeline import simulate
from penni_hls.schedule.stages import RESOURCES, Options, options, stages
from penni_hls.target.fabric import SERIES7
from tests.networks import U8, NetworkBuilder, random_resnet


@st.composite
def networks(draw) -> list[Options]:
    """Stages with a few options each, of small whole cycles and costs."""
    made = []
    for stage in range(draw(st.integers(1, 4))):
        rows = draw(st.lists(st.tuples(*[st.integers(0, 9)] * (1 + len(RESOURCES))), min_size=1, max_size=5))
        table = np.array(rows)
        folded = (tuple(Folding(q, stage + 1) for q in range(1, len(rows) + 1)),)
        picks = np.arange(len(rows))[:, None]
        made.append(Options((f"s{stage}",), folded, picks, table[:, 0], table[:, 1:].astype(float)))
    return made


def every(made: list[Options], budget: np.ndarray) -> list[tuple[int, float]]:
    """(cycles, sum of shares) of each combination that fits."""
    found = []
    for rows in itertools.product(*(range(len(stage.cycles)) for stage in made)):
        cost = sum(stage.cost[row] for stage, row in zip(made, rows))
        if (cost <= budget).all():
            found.append((max(int(s.cycles[row]) for s, row in zip(made, rows)), float((cost / budget).sum())))
    return found


def cost_of(made: list[Options], found: choice.Choice) -> np.ndarray:
    rows = [stage.foldings[0].index(found.foldings[stage.nodes[0]]) for stage in made]
    return sum(stage.cost[row] for stage, row in zip(made, rows))


BUDGETS = st.tuples(*[st.integers(1, 40)] * len(RESOURCES)).map(lambda row: np.array(row) + 0.5)


@settings(max_examples=150, deadline=None)
@given(networks(), BUDGETS)
def test_no_combination_that_fits_is_faster_or_at_that_rate_smaller(made, budget):
    all_that_fit = every(made, budget)
    found = fastest([stage.best() for stage in made], budget)
    if not all_that_fit:
        assert found is None
        return
    best = min(cycles for cycles, _ in all_that_fit)
    assert found.cycles == found.bound == best
    cost = cost_of(made, found)
    assert (cost <= budget).all()
    smallest_share = min(share for cycles, share in all_that_fit if cycles == best)
    assert smallest_share - 1e-9 <= (cost / budget).sum() <= smallest_share * (1 + GAP) + 1e-9


@settings(max_examples=80, deadline=None)
@given(networks(), BUDGETS, st.integers(0, 9))
def test_the_least_hardware_at_a_rate(made, budget, cycles):
    shares = [share for needed, share in every(made, budget) if needed <= cycles]
    found = least([stage.best() for stage in made], budget, cycles)
    assert (found is None) == (not shares)
    if shares:
        assert found.cycles <= cycles
        assert (cost_of(made, found) / budget).sum() <= min(shares) * (1 + GAP) + 1e-9


@settings(max_examples=60, deadline=None)
@given(networks(), BUDGETS)
def test_what_does_not_fit_exceeds_its_scarcest_resource_least(made, budget):
    rows = itertools.product(*(stage.cost for stage in made))
    stretch = min(max(sum(cost) / budget) for cost in rows)
    found = max(cost_of(made, smallest([stage.best() for stage in made], budget)) / budget)
    assert found <= stretch * (1 + 2 * GAP) + 2 * GAP * len(RESOURCES)


def test_a_limit_that_is_hit_is_told(monkeypatch):
    """Without an answer from the solver nothing is proven, but what fits plainly is found."""

    def gives_up(*args, **options):
        raise choice._Unknown

    rng = np.random.default_rng(1)
    made = [
        Options(
            (f"s{i}",), ((Folding(),) * 30,), np.arange(30)[:, None], rng.integers(1, 50, 30), rng.random((30, 4)) + 1
        )
        for i in range(5)
    ]
    monkeypatch.setattr("scipy.optimize.milp", gives_up)
    found = fastest(made, np.full(4, 7.5))
    assert found is not None and found.gap == math.inf and found.bound < found.cycles


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=40))
def test_the_front_is_what_no_other_point_beats(points):
    table = np.array(points, dtype=float)
    kept = front(table)
    beaten = [
        any((other <= point).all() and ((other < point).any() or j < i) for j, other in enumerate(table))
        for i, point in enumerate(table)
    ]
    assert kept.tolist() == [i for i, is_beaten in enumerate(beaten) if not is_beaten]


def test_the_front_of_many_points_is_the_front_of_the_fronts():
    table = np.random.default_rng(0).integers(0, 30, (6000, 4)).astype(float)
    kept = table[front(table)]
    for point in table[::60]:
        assert ((kept <= point).all(1)).any()
    strictly = (kept[:, None] <= kept[None]).all(2) & (kept[:, None] < kept[None]).any(2)
    assert not strictly.any()


def cycles_of(stage, foldings):
    """A single buffer for tiles is filled at the pace at which they come, and read then."""
    cycles, pace = 0, {}
    for node, folding in zip(stage, foldings):
        timing, ends = node.op.timing(folding), zip(node.inputs, node.op.inputs(folding))
        feed = {port.name: pace[source] for source, port in ends if port.stream.spec.tiled}
        cycles = max(cycles, timing.cycles(feed))
        pace[node.name] = timing.pace(node.op.outputs(folding)[0].name)
    return cycles


def test_options_are_the_front_of_every_combination_that_agrees():
    graph = random_resnet(blocks=1, widths=(4,), size=6)
    for stage, found in zip(stages(graph), options(graph, SERIES7)):
        table = []
        for chosen in itertools.product(*(node.op.foldings(SERIES7) for node in stage)):
            if len({folding.q for folding in chosen}) == 1 or len(stage) == 1:
                cost = sum(np.array(list(n.op.cost(f).as_dict().values())) for n, f in zip(stage, chosen)).round(6)
                table.append((cycles_of(stage, chosen), *cost))
        table = np.array(table)
        expected = table[front(table)]
        rows = np.column_stack([found.cycles, found.cost])
        np.testing.assert_allclose(sorted(map(tuple, rows)), sorted(map(tuple, expected)), atol=2e-6)
        for row in range(len(rows)):
            foldings = found.at(row)
            assert [node.name for node in stage] == list(foldings)
            assert len({foldings[node.name].q for node in stage}) == 1


@dataclass(frozen=True, eq=False)
class Buffers(Operator):
    """A test operator that loads a group, then works on it, in so many buffers."""

    inner: SparseMac
    buffers: int
    work: int
    kind: ClassVar[str] = "buffers"

    @property
    def in_specs(self):
        return self.inner.in_specs

    @property
    def out_spec(self):
        return self.inner.out_spec

    def reference(self, *inputs):
        return self.inner.reference(*inputs)

    def cost(self, folding):
        return self.inner.cost(folding)

    def parameters(self, folding):
        return {}

    def timing(self, folding: Folding) -> Timing:
        groups = -(-self.inner.pixels // folding.q)
        out = math.prod(self.out_spec.shape)
        load = Step(self.inner.depth, (("in", self.inner.depth),), needs=(("room", 1),), posts=(("full", 1, 0),))
        walk = Step(self.work, needs=(("full", 1), ("space", 1)), posts=(("room", 1, 0), ("done", 1, 0)))
        give = Step(out // groups, gives=(("out", out // groups),), needs=(("done", 1),), posts=(("space", 1, 0),))
        return Timing(
            tuple(Stage(name, ((groups, step),)) for name, step in (("load", load), ("walk", walk), ("give", give))),
            {"room": self.buffers, "full": 0, "done": 0, "space": 2},
        )


@pytest.mark.parametrize("buffers", [1, 2])
@pytest.mark.parametrize("work", [20, 100, 400])
def test_cycles_of_a_stage_are_those_of_the_model_of_the_pipeline(buffers: int, work: int):
    """The basis convolution before it gives tiles more slowly than they could be loaded."""
    build = NetworkBuilder(np.random.default_rng(0), 3, 0.3)
    build.conv("conv", build.add("input", Input(TensorSpec((8, 8, 40), U8))), 4)
    source, basis, mac = build.nodes
    graph = Graph((source, basis, Node("mac", Buffers(mac.op, buffers, work), (basis.name,))))
    q = 4
    foldings = {"input": Folding(), basis.name: basis.op.folding(q), "mac": Folding(q)}
    measured = simulate(graph, foldings, {}).interval
    before = basis.op.cycles(foldings[basis.name])
    tiles = basis.op.outputs(foldings[basis.name])[0].stream.beats_per_frame
    own = graph.by_name["mac"].op.timing(foldings["mac"])
    found = max(before, own.cycles({"in": before / tiles}))
    assert found == pytest.approx(measured, rel=0.02)  # a few beats of a group wait between the two
    if buffers == 1:  # neither the nodes alone nor what each of them needs would say so
        assert found > 1.05 * max(before, own.cycles())


def test_two_buffers_are_offered_where_tiles_come_in_bursts():
    """A sparse product that alone is as fast with one buffer for z: not behind a basis convolution."""
    build = NetworkBuilder(np.random.default_rng(0), 5, 0.1)
    build.conv("conv", build.add("input", Input(TensorSpec((16, 16, 16), U8))), 16)
    basis, mac = build.nodes[1:3]
    (found,) = options(Graph(tuple(build.nodes)), SERIES7)
    q = 16
    alone = min(mac.op.cycles(folding) for folding in mac.op.foldings(SERIES7) if (folding.q, folding.p) == (q, 1))
    assert alone < basis.op.cycles(basis.op.folding(q))
    both = [found.at(row) for row in np.flatnonzero(found.cycles == basis.op.cycles(basis.op.folding(q)))]
    assert any((folding[mac.name].q, folding[mac.name].p) == (q, 1) for folding in both)
