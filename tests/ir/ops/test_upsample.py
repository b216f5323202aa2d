"""upsample: reference = plain loops = RTL, and cycles as predicted."""

import numpy as np

from .cases import CASES, Case
from .rtl import check_bits, measured_cycles, predicted_cycles

KIND = "upsample"


def test_reference(case: Case) -> None:
    factor, x, y = case.op.factor, case.inputs[0].values, case.expected().values
    assert y.shape[1:3] == (x.shape[1] * factor, x.shape[2] * factor)
    for n, row, column, c in np.ndindex(y.shape):
        assert y[n, row, column, c] == x[n, row // factor, column // factor, c]


def test_both_places_of_the_buffer_are_tried() -> None:
    assert {case.folding.rows for case in CASES[KIND]} == {"block", "lut"}


def test_rtl_bits(case: Case, rtl) -> None:
    check_bits(case, rtl)


def test_rtl_cycles(case: Case, rtl) -> None:
    assert measured_cycles(case, rtl) == predicted_cycles(case)
