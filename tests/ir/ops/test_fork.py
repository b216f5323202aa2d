"""fork: reference = its input = RTL, and cycles as predicted."""

import numpy as np

from .cases import Case
from .rtl import check_bits, measured_cycles, predicted_cycles

KIND = "fork"


def test_reference(case: Case) -> None:
    assert np.array_equal(case.expected().values, case.inputs[0].values)


def test_rtl_bits(case: Case, rtl) -> None:
    check_bits(case, rtl)


def test_rtl_cycles(case: Case, rtl) -> None:
    assert measured_cycles(case, rtl) == predicted_cycles(case)
