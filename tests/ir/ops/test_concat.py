"""concat: reference = plain loops = RTL, and cycles as predicted."""

import numpy as np

from .cases import Case
from .rtl import check_bits, measured_cycles, predicted_cycles

KIND = "concat"


def test_reference(case: Case) -> None:
    first, second = (tensor.values for tensor in case.inputs)
    y = case.expected().values
    assert y.shape[3] == first.shape[3] + second.shape[3]
    for n, row, column, c in np.ndindex(y.shape):
        wanted = first[n, row, column, c] if c < first.shape[3] else second[n, row, column, c - first.shape[3]]
        assert y[n, row, column, c] == wanted


def test_rtl_bits(case: Case, rtl) -> None:
    check_bits(case, rtl)


def test_rtl_cycles(case: Case, rtl) -> None:
    assert measured_cycles(case, rtl) == predicted_cycles(case)
