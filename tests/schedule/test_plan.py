"""Folding and link depths."""

from dataclasses import replace

import pytest

from penni_hls.ir.ops import SparseMac
from penni_hls.ir.streams import Stream
from penni_hls.schedule import plan
from penni_hls.target.boards import load
from tests.networks import random_resnet

GRAPH = random_resnet(blocks=2, widths=(8, 16), size=16, density=0.2)


@pytest.fixture(scope="module")
def board():
    return load("pynq-z2")


def test_fits_the_share_of_the_board_it_may_use(board):
    schedule = plan(GRAPH, board)
    assert not schedule.shortfalls
    for name, have in schedule.total.as_dict().items():
        assert have <= board.plan_budget.as_dict()[name]


def test_tile_edges_join_equal_q_and_every_map_edge_has_a_fifo(board):
    schedule = plan(GRAPH, board)
    links = {(link.src, link.dst, link.port): link for link in schedule.links}
    for node in GRAPH.nodes[1:]:
        for port, (src, spec) in enumerate(zip(node.inputs, node.op.in_specs)):
            if spec.tiled:
                assert schedule.foldings[src].q == schedule.foldings[node.name].q
            elif src != "input":
                assert links.pop((src, node.name, port)).width == Stream(spec).bits
    assert not links


def test_more_multipliers_are_never_slower(board):
    rates = [plan(GRAPH, replace(board, dsp=dsp)).cycles_per_image for dsp in (30, 60, 120, 240)]
    assert rates == sorted(rates, reverse=True) and rates[0] > rates[-1]


def test_what_does_not_fit_says_what_is_missing(board):
    schedule = plan(GRAPH, replace(board, dsp=5))
    assert [shortfall.resource for shortfall in schedule.shortfalls] == ["dsp"]
    shortfall = schedule.shortfalls[0]
    assert shortfall.available == board.usable.dsp * 5 and shortfall.needed == schedule.total.dsp > 5


def test_bounds_are_below_what_is_predicted(board):
    schedule = plan(GRAPH, board)
    macs = [node.op for node in GRAPH if isinstance(node.op, SparseMac)]
    assert schedule.products == sum((op.coefs != 0).sum() * op.pixels for op in macs)
    assert schedule.mac_bound <= schedule.cycles_per_image
    assert schedule.stream_bound <= schedule.cycles_per_image
