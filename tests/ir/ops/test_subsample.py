"""subsample: reference = plain loops = RTL, and cycles as predicted."""

import numpy as np

from .cases import Case
from .rtl import check_bits, measured_cycles, predicted_cycles

KIND = "subsample"


def test_reference(case: Case) -> None:
    op, x, y = case.op, case.inputs[0].values, case.expected().values
    for n, row, column, o in np.ndindex(y.shape):
        c = o - op.offset
        wanted = x[n, row * op.stride, column * op.stride, c] if 0 <= c < x.shape[3] else 0
        assert y[n, row, column, o] == wanted


def test_rtl_bits(case: Case, rtl) -> None:
    check_bits(case, rtl)


def test_rtl_cycles(case: Case, rtl) -> None:
    assert measured_cycles(case, rtl) == predicted_cycles(case)
