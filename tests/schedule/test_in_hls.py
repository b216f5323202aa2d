"""What is expected of the C++ after Vitis HLS: cycles of its loops, blocks of several groups, rate and FIFO depths."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from penni_hls.ir.fixed import QType, Requant
from penni_hls.ir.graph import TensorSpec
from penni_hls.ir.ops import SparseMac
from penni_hls.ir.ops.cpp_loops import loop
from penni_hls.ir.ops.sparse_mac import BLOCKS
from penni_hls.project.manifest import performance
from penni_hls.schedule import Schedule, plan
from penni_hls.schedule.pipeline import simulate
from penni_hls.target.boards import load
from tests.ir.ops.cases import CASES
from tests.networks import random_resnet

MACS = {case.id: case for cases in CASES.values() for case in cases if isinstance(case.op, SparseMac)}


def test_a_loop_takes_what_a_report_says():
    """csynth.xml of a loop of 128 iterations, one each cycle, an iteration of 5: latency 132, that of its module 134."""
    assert loop(128, 5) == 134
    assert loop(128, 5, ii=2) == 261


def test_processes_of_a_sparse_product():
    """A walk of 1,000 words for each of 8 groups: 8 * (1000 - 1 + 8 + 2), and once more the loop of a frame, 11 + 2."""
    rng = np.random.default_rng(0)
    coefs = np.zeros((20, 100), np.int64)
    coefs.reshape(-1)[rng.permutation(2000)[:1000]] = 1
    z, y = TensorSpec((4, 4, 20, 5), QType(8, True)), QType(8, False)
    op = SparseMac(z, coefs, QType(8, True), Requant(np.ones(20, np.int64), np.zeros(20, np.int64), 1, y))
    folding = dataclasses.replace(op.folding(2, 1), step_bits=0, row_ends="bit")
    assert op.lanes(1, folding.coding).words == 1000
    walk = 8 * (1000 - 1 + 8 + 2)
    assert op.block(folding) == 1
    assert op.in_turn(folding).cycles() == walk + 11 + 2


@pytest.mark.parametrize("name", MACS)
def test_blocks_are_as_small_as_the_rate_allows(name):
    op, folding = MACS[name].op, MACS[name].folding
    block, cycles = op.block(folding), {size: op._in_blocks(folding, size).cycles() for size in BLOCKS}
    groups = math.ceil(op.pixels / folding.q)
    fast = [size for size in BLOCKS if size <= max(1, groups) and cycles[size] <= 1.02 * op.cycles(folding)]
    assert block == 1 or block <= groups
    assert block == (fast[0] if fast else min((n for n in BLOCKS if n <= max(1, groups)), key=cycles.__getitem__))
    assert op.cpp_parameters(folding) == {"BLOCK": block}


@pytest.fixture(
    scope="module", params=[{"widths": (14,), "size": 12, "bases": 5}, {"widths": (4, 8), "size": 10, "seed": 1}]
)
def schedule(request) -> Schedule:
    return plan(random_resnet(**request.param), load("pynq-z2"))


def test_the_rate_is_that_of_its_depths(schedule: Schedule):
    depths = {(link.dst, link.port): link.cpp_depth for link in schedule.links}
    found = simulate(schedule.graph, schedule.foldings, depths, in_turn=True)
    assert schedule.in_hls.cycles_per_image == math.ceil(found.interval - 0.01)
    assert schedule.in_hls.latency == found.latency
    slowest = max(node.op.in_turn(schedule.foldings[node.name]).cycles() for node in schedule.instances)
    assert schedule.in_hls.cycles_per_image >= slowest
    assert performance(schedule)["hls"] == {
        "cycles_per_image": schedule.in_hls.cycles_per_image, "latency": schedule.in_hls.latency,
    }  # fmt: skip


def test_deeper_fifos_would_not_be_worth_it(schedule: Schedule):
    ends = dict.fromkeys(((link.dst, link.port) for link in schedule.links), math.inf)
    unlimited = simulate(schedule.graph, schedule.foldings, ends, in_turn=True)
    assert schedule.in_hls.cycles_per_image <= 1.03 * unlimited.interval
