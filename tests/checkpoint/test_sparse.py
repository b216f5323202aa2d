"""Packing one array without its zeros: it comes back, in the shortest coding; broken streams are one error."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from penni_hls.checkpoint import CheckpointError
from penni_hls.checkpoint.sparse import Packed, deflate, pack, unpack

DTYPES = ("float32", "float16", "int8", "int64", "uint16", "bool")


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(DTYPES), st.floats(0, 1))
def test_an_array_comes_back(data, dtype: str, density: float) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, max_side=40))
    finite = {"allow_nan": False, "allow_infinity": False} if dtype.startswith("float") else {}
    elements = hnp.from_dtype(np.dtype(dtype), **finite)
    values = data.draw(hnp.arrays(dtype, shape, elements=elements, fill=elements))
    values = values * (np.random.default_rng(0).random(shape) < density).astype(dtype)
    values = np.asarray(values, dtype)
    back = unpack(pack(values), shape, np.dtype(dtype))
    assert back.dtype == values.dtype and back.shape == shape
    np.testing.assert_array_equal(back, values)


@pytest.mark.parametrize(("density", "coding"), [(0.0, "gaps"), (0.02, "gaps"), (0.4, "bitmap"), (1.0, "dense")])
def test_the_shortest_coding(density: float, coding: str) -> None:
    rng = np.random.default_rng(0)
    values = np.where(rng.random(100_000) < density, rng.standard_normal(100_000), 0).astype(np.float32)
    packed = pack(values)
    assert packed.coding == coding
    np.testing.assert_array_equal(unpack(packed, values.shape, values.dtype), values)


@pytest.mark.parametrize("gap", [0, 1, 254, 255, 256, 509, 510, 511, 100_000])
def test_gaps_of_every_length(gap: int) -> None:
    values = np.zeros(2 * gap + 2 + 7_000, np.float32)
    values[[gap, 2 * gap + 1]] = 1, -2
    packed = pack(values)
    assert packed.coding == "gaps"
    np.testing.assert_array_equal(unpack(packed, values.shape, values.dtype), values)


def test_gaps_by_hand() -> None:
    """As docs/formats.md has it."""
    values = np.zeros(600, np.int8)
    values[[0, 3, 300, 599]] = 5, -1, 7, 9
    packed = pack(values)
    assert (packed.coding, packed.count) == ("gaps", 4)
    assert zlib.decompress(packed.positions) == bytes([0, 2, 255, 41, 255, 43])
    assert zlib.decompress(packed.values) == bytes([5, 255, 7, 9])


def test_planes_by_hand() -> None:
    packed = pack(np.array([1.0, -2.0], np.float32))
    assert (packed.coding, packed.count) == ("dense", 2)
    assert zlib.decompress(packed.values) == bytes([0, 0, 0, 0, 0x80, 0, 0x3F, 0xC0])


def test_negative_zero_is_zero() -> None:
    values = np.full(1000, -0.0, np.float32)
    values[3] = 1
    packed = pack(values)
    assert packed.count == 1 and not np.signbit(unpack(packed, (1000,), np.dtype("float32"))).any()


ONE = deflate(b"\x01")


@pytest.mark.parametrize(
    "packed",
    [
        Packed("dense", 3, deflate(b"abc")),
        Packed("gaps", 5, deflate(b"abcde"), deflate(bytes(5))),
        Packed("gaps", -1, ONE, ONE),
        Packed("gaps", 1, ONE, deflate(b"\x04")),
        Packed("gaps", 1, ONE, deflate(b"\xff")),
        Packed("gaps", 1, ONE, deflate(b"")),
        Packed("gaps", 1, ONE, deflate(bytes(100_000_000))),
        Packed("gaps", 1, deflate(bytes(100_000_000)), deflate(b"\x00")),
        Packed("gaps", 2, deflate(b"ab"), deflate(b"\x01\xff")),
        Packed("bitmap", 1, ONE, deflate(b"\xc0")),
        Packed("bitmap", 1, ONE, deflate(b"\x80\x00")),
        Packed("bitmap", 1, ONE, b"no stream"),
        Packed("bitmap", 1, ONE + b"more", deflate(b"\x80")),
        Packed("system", 1, ONE, ONE),
    ],
)
def test_streams_that_do_not_hold_together(packed: Packed) -> None:
    with pytest.raises(CheckpointError, match="damaged"):
        unpack(packed, (4,), np.dtype("uint8"))
