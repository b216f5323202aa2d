"""affine: reference = plain loops = RTL, and cycles as predicted."""

from dataclasses import replace

import numpy as np
import pytest

from penni_hls.ir.fixed import QType
from penni_hls.ir.graph import TensorSpec
from penni_hls.ir.ops import SparseMac

from . import dense
from .cases import CASES, U8, Case
from .rtl import check_bits, measured_cycles, predicted_cycles

KIND = "affine"


def test_reference(case: Case) -> None:
    skip = case.inputs[1].values if case.op.skip else None
    wanted = dense.affine(case.inputs[0].values, case.op.requant, skip)
    assert np.array_equal(case.expected().values, wanted)


def test_it_is_a_sparse_product_with_a_diagonal_of_ones(case: Case) -> None:
    """Where no multiplier is negative."""
    op = case.op
    c = op.x.shape[2]
    requant = replace(op.requant, multiplier=np.abs(op.requant.multiplier).clip(0, 65535))
    mac = SparseMac(op.x, np.eye(c, dtype=np.int64), QType(2, True), requant, op.skip)
    assert np.array_equal(
        mac.reference(*case.inputs).values, replace(op, requant=requant).reference(*case.inputs).values
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": TensorSpec((4, 5, 2), U8)}, "3 multipliers do not go with a 4x5x2 uint8 map"),
        ({"skip": TensorSpec((4, 5, 3), U8)}, "a skip connection needs a multiplier"),
        ({"skip": TensorSpec((4, 4, 3), U8)}, "does not match"),
        ({"x": TensorSpec((4, 5, 3), QType(60, True))}, "it reads 4x5x3 int60; 43 bits are possible"),
    ],
)
def test_what_does_not_go_together(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CASES[KIND][0].op, **change)


def test_rtl_bits(case: Case, rtl) -> None:
    check_bits(case, rtl)


def test_rtl_cycles(case: Case, rtl) -> None:
    assert measured_cycles(case, rtl) == predicted_cycles(case)
