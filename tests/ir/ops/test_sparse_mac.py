"""sparse_mac: reference = dense A @ B = RTL, and cycles as predicted."""

import numpy as np

from . import dense
from .cases import Case
from .rtl import check_bits, measured_cycles

KIND = "sparse_mac"


def test_reference(case: Case) -> None:
    op = case.op
    skip = case.inputs[1].values if op.skip else None
    wanted = dense.sparse_mac(case.inputs[0].values, op.coefs, op.requant, op.flatten, skip)
    assert np.array_equal(case.expected().values.reshape(wanted.shape), wanted)


def test_rtl_bits(case: Case, rtl) -> None:
    check_bits(case, rtl)


def test_rtl_cycles(case: Case, rtl) -> None:
    assert measured_cycles(case, rtl) == case.op.cycles(case.folding)
