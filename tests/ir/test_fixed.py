"""The numeric core against Python's own integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penni_hls.ir.fixed import (
    EXACT_FLOAT32,
    EXACT_FLOAT64,
    IntTensor,
    QType,
    Requant,
    exact_dtype,
    rshift,
    sat,
    smallest_qtype,
)

QTYPES = st.builds(QType, st.integers(1, 32), st.booleans())


def rounded_shift(v: int, s: int) -> int:
    """rshift of the contract, in unbounded integers."""
    return v if s == 0 else (v + 2 ** (s - 1)) // 2**s


def clipped(v: int, qtype: QType) -> int:
    lo = -(2 ** (qtype.bits - 1)) if qtype.signed else 0
    hi = 2 ** (qtype.bits - 1) - 1 if qtype.signed else 2**qtype.bits - 1
    return min(max(v, lo), hi)


@given(st.lists(st.integers(-(2**61), 2**61), min_size=1), st.integers(0, 61))
def test_rshift_of_integers(values: list[int], shift: int) -> None:
    got = rshift(np.array(values, np.int64), shift)
    assert got.tolist() == [rounded_shift(v, shift) for v in values]


@given(st.lists(st.integers(-(2**23), 2**23 - 1), min_size=1), st.integers(0, 23))
def test_rshift_of_integers_held_in_float32(values: list[int], shift: int) -> None:
    """Exact up to magnitude 2^24, the rounding half included."""
    got = rshift(np.array(values, np.float32), shift)
    assert got.dtype == np.float32
    assert [int(v) for v in got] == [rounded_shift(v, shift) for v in values]


@given(st.lists(st.integers(-(2**52), 2**52 - 1), min_size=1), st.integers(0, 47))
def test_rshift_of_integers_held_in_float64(values: list[int], shift: int) -> None:
    got = rshift(np.array(values, np.float64), shift)
    assert got.dtype == np.float64
    assert [int(v) for v in got] == [rounded_shift(v, shift) for v in values]


def test_rshift_rounds_half_up() -> None:
    assert rshift(np.array([-3, -2, -1, 0, 1, 2, 3]), 1).tolist() == [-1, -1, 0, 0, 1, 1, 2]
    assert rshift(np.array([-6, -5, 5, 6]), 2).tolist() == [-1, -1, 1, 2]


def test_rshift_leaves_its_argument_alone() -> None:
    for dtype in (np.int64, np.float32):
        values = np.array([5, 6, 7], dtype)
        rshift(values, 2)
        assert values.tolist() == [5, 6, 7]


def test_rshift_by_less_than_nothing() -> None:
    with pytest.raises(ValueError, match="rshift by -1"):
        rshift(np.array([1]), -1)


@given(st.lists(st.integers(-(2**40), 2**40), min_size=1), QTYPES)
def test_sat(values: list[int], qtype: QType) -> None:
    got = sat(np.array(values, np.int64), qtype)
    assert got.dtype == qtype.dtype
    assert got.tolist() == [clipped(v, qtype) for v in values]


@given(st.integers(-(2**62), 2**62), st.integers(0, 2**62))
@example(-1, 0)
@example(-4, 0)
def test_the_smallest_type_holds_both_ends_and_no_narrower_does(lo: int, width: int) -> None:
    hi = min(lo + width, 2**62)
    qtype = smallest_qtype(lo, hi)
    assert qtype.lo <= lo and hi <= qtype.hi and qtype.signed == (lo < 0)
    if qtype.bits > 1:
        narrower = QType(qtype.bits - 1, qtype.signed)
        assert not (narrower.lo <= lo and hi <= narrower.hi)


@given(QTYPES)
def test_a_type_and_its_dtype(qtype: QType) -> None:
    info = np.iinfo(qtype.dtype)
    assert info.min <= qtype.lo and qtype.hi <= info.max
    assert qtype.dtype.itemsize == 1 or info.bits < 2 * max(qtype.bits, 8)
    assert qtype.holds(np.array([qtype.lo, qtype.hi]))
    assert not qtype.holds(np.array([qtype.hi + 1])) and not qtype.holds(np.array([qtype.lo - 1]))


@pytest.mark.parametrize("bits", [0, 65])
def test_a_type_of_impossible_width(bits: int) -> None:
    with pytest.raises(ValueError, match="1 to 64"):
        QType(bits, signed=True)


def test_products_are_exact_in_the_type_that_is_chosen() -> None:
    """Sums right below each bound come out exact, and a float type is left where they would not."""
    assert exact_dtype(EXACT_FLOAT32 - 1) == np.float32 and exact_dtype(EXACT_FLOAT32) == np.float64
    assert exact_dtype(EXACT_FLOAT64 - 1) == np.float64 and exact_dtype(EXACT_FLOAT64) == np.int64
    for bound in (EXACT_FLOAT32 - 1, EXACT_FLOAT64 - 1, EXACT_FLOAT64 + 1):
        dtype = exact_dtype(bound)
        assert int(np.array([bound - 1], dtype) @ np.array([1], dtype) + dtype.type(1)) == bound


def test_a_tensor_lies_in_its_type() -> None:
    with pytest.raises(ValueError, match="values from 0 to 16"):
        IntTensor(np.array([0, 16], np.uint8), QType(4, signed=False))
    with pytest.raises(ValueError, match="dtype int64"):
        IntTensor(np.array([0, 1]), QType(4, signed=False))


@st.composite
def requants(draw: st.DrawFn) -> Requant:
    channels = draw(st.integers(1, 3))
    multiplier = draw(st.lists(st.integers(0, 2**16 - 1), min_size=channels, max_size=channels))
    bias = draw(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=channels, max_size=channels))
    out = draw(st.sampled_from([QType(8, False), QType(8, True), QType(16, True)]))
    shift, skip = draw(st.integers(1, 47)), draw(st.integers(0, 2**16 - 1))
    return Requant(np.array(multiplier, np.int64), np.array(bias, np.int64), shift, out, skip)


@given(requants(), st.data())
def test_requant(requant: Requant, data: st.DataObject) -> None:
    """y = sat(rshift(acc*M + skip*K + bias, S)) for the widest accumulators, at both ends of the output type too."""
    channels = len(requant.multiplier)
    accumulators = st.lists(st.integers(-(2**40), 2**40), min_size=channels, max_size=channels)
    acc = data.draw(st.lists(accumulators, min_size=1, max_size=4))
    skip = data.draw(
        st.none()
        | st.just([data.draw(st.lists(st.integers(-128, 255), min_size=channels, max_size=channels)) for _ in acc])
    )
    got = requant.apply(np.array(acc, np.int64), None if skip is None else np.array(skip, np.int64))
    want = [
        [
            clipped(
                rounded_shift(
                    a * int(m) + (skip[p][o] * requant.skip_multiplier if skip else 0) + int(b), requant.shift
                ),
                requant.out,
            )
            for o, (a, m, b) in enumerate(zip(row, requant.multiplier, requant.bias))
        ]
        for p, row in enumerate(acc)
    ]
    assert got.tolist() == want and got.dtype == requant.out.dtype


@given(requants(), st.lists(st.integers(-(2**23), 2**23), min_size=3, max_size=3))
def test_requant_of_sums_held_in_floats(requant: Requant, acc: list[int]) -> None:
    sums = np.array(acc[: len(requant.multiplier)])
    exact = requant.apply(sums)
    for dtype in (np.float32, np.float64):
        assert requant.apply(sums.astype(dtype)).tolist() == exact.tolist()


@given(requants(), st.lists(st.integers(-(2**40), 2**40), min_size=3, max_size=3))
def test_hardware_adds_the_half_with_the_bias(requant: Requant, acc: list[int]) -> None:
    """acc*M + rounded_bias, shifted plainly, is what the contract's rshift gives."""
    sums = np.array(acc[: len(requant.multiplier)])
    plain = (sums * requant.multiplier + requant.rounded_bias()) >> requant.shift
    assert sat(plain, requant.out).tolist() == requant.apply(sums).tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shift": 0}, "shift 0"),
        ({"shift": 48}, "shift 48"),
        ({"multiplier": np.array([2**16])}, "multiplier"),
        ({"multiplier": np.array([-1])}, "multiplier"),
        ({"multiplier": np.array([1.0])}, "multiplier"),
        ({"bias": np.array([2**31])}, "bias"),
        ({"skip_multiplier": 2**16}, "skip multiplier"),
    ],
)
def test_a_requantizer_that_does_not_fit_its_widths(change: dict, message: str) -> None:
    good = {"multiplier": np.array([1]), "bias": np.array([0]), "shift": 8, "out": QType(8, True)}
    Requant(**good)
    with pytest.raises(ValueError, match=message):
        Requant(**{**good, **change})
