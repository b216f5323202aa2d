"""The choices of sparse_mac: two sums come out of one exactly, and nothing dominated is offered."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penni_hls.ir.fixed import QType
from penni_hls.ir.ops.mac_folding import Pairing, undominated
from penni_hls.target.fabric import SERIES7, ULTRASCALE

from ..ir.ops.cases import S8, U8, basis_conv, sparse_mac


def wrapped(value: int, bits: int) -> int:
    """As `bits` bits, two's complement, hold it."""
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def separated(both: int, extra: int, pairing: Pairing, bits: int) -> tuple[int, int]:
    """(low, high) of high * 2^shift + low modulo 2^(shift + bits), with the lowest bits of high."""
    upper = both >> pairing.shift
    lowest = both % (1 << pairing.shift)
    if pairing.extra:
        over = wrapped(upper - extra, pairing.extra)
        return (over << pairing.shift) + lowest, wrapped(upper - over, bits)
    low = wrapped(lowest, pairing.shift)
    return low, wrapped(upper + (low < 0), bits)


types = st.builds(QType, st.integers(2, 12), st.booleans())
preadders = st.sampled_from([fabric.preadder_bits for fabric in (SERIES7, ULTRASCALE)])


@settings(max_examples=500, deadline=None)
@given(types, st.integers(2, 24), preadders, st.data())
def test_two_sums_in_one(z, bits, preadder, data):
    """Differences of running sums, at any point of the wrap-around, with both sums anywhere in their range."""
    pairing = Pairing.of(z, bits, preadder)
    edge = [-(1 << bits - 1), -1, 0, 1, (1 << bits - 1) - 1]
    sums = st.one_of(st.sampled_from(edge), st.integers(edge[0], edge[-1]))
    low, high = data.draw(sums), data.draw(sums)
    width = pairing.shift + bits
    before, extra = data.draw(st.integers(0, (1 << width) - 1)), data.draw(st.integers(0, 1 << 8))
    after = (before + (high << pairing.shift) + low) % (1 << width)
    kept = ((extra + high) - extra) % (1 << pairing.extra)
    assert separated((after - before) % (1 << width), kept, pairing, bits) == (low, high)


@given(types, preadders)
def test_the_preadder_holds_every_pair_and_no_wider_spacing(z, preadder):
    def fits(shift: int) -> bool:
        pairs = [(a << shift) + b for a in (z.lo, z.hi) for b in (z.lo, z.hi)]
        return all(-(1 << preadder - 1) <= pair < 1 << preadder - 1 for pair in pairs)

    shift = Pairing.of(z, 20, preadder).shift
    assert fits(shift) and not fits(shift + 1)


def test_known_spacings():
    assert Pairing.of(S8, 16, 25) == Pairing(16, 0)
    assert Pairing.of(U8, 18, 25) == Pairing(16, 2)
    assert Pairing.of(QType(7, True), 20, 25) == Pairing(17, 3)
    assert Pairing.of(S8, 18, 27) == Pairing.of(U8, 18, 27) == Pairing(18, 0)
    assert Pairing.of(QType(7, True), 20, 27) == Pairing(19, 1)


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=30))
def test_what_is_left_out_is_dominated(options):
    figures = np.array(options, float)
    kept = undominated(figures, 0)
    for index in range(len(figures)):
        better = (figures[kept] <= figures[index]).all(1)
        assert better.any() if index not in kept else better.sum() == 1


@pytest.fixture(scope="module")
def large():
    return sparse_mac("large_layer", (4, 4, 500, 5), co=507, q=1, density=0.016, coef=QType(4, True)).op


def test_choices_of_a_large_layer(large):
    foldings = large.foldings(SERIES7)
    for name, values in {
        "multiplier": {"dsp", "pair", "lut"},
        "z_buffers": {1, 2},
        "row_ends": {"bit", "step"},
    }.items():
        assert {getattr(folding, name) for folding in foldings} == values
    assert {folding.q for folding in foldings} == {1, 2, 4, 6, 8, 12, 16, 24}
    assert len(set(foldings)) == len(foldings)


def test_ultra_rams_are_offered_where_the_device_has_them(large):
    rows = basis_conv("large_rows", (32, 32, 64), q=4).op
    for fabric in (SERIES7, ULTRASCALE, replace(ULTRASCALE, uram=True)):
        foldings = large.foldings(fabric)
        assert {folding.z == "ultra" for folding in foldings} == ({False, True} if fabric.uram else {False})
        assert {folding.rows == "ultra" for folding in rows.foldings(fabric)} == {False, fabric.uram}
        assert {folding.preadder_bits for folding in foldings} == {fabric.preadder_bits}
        for folding in foldings:
            assert (large.cost(folding).uram > 0) == (folding.z == "ultra")


def test_a_folding_says_what_it_takes(large):
    """The cycles are those of the model of the pipeline, where nothing else is waited for."""
    for folding in large.foldings(SERIES7)[::40]:
        two = folding.z_buffers == folding.sum_buffers == 2
        slowest = large.timing(folding).cycles()
        assert large.cycles(folding) >= slowest if not two else large.cycles(folding) == slowest
