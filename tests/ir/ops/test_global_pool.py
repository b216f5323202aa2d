"""global_pool: reference = plain sums = RTL, and cycles as predicted."""

import numpy as np

from .cases import Case
from .rtl import check_bits, measured_cycles, predicted_cycles

KIND = "global_pool"


def test_reference(case: Case) -> None:
    x = case.inputs[0].values
    wanted = [[sum(int(v) for v in x[n, :, :, c].ravel()) for c in range(x.shape[3])] for n in range(len(x))]
    assert np.array_equal(case.expected().values[:, 0, 0], wanted)


def test_rtl_bits(case: Case, rtl) -> None:
    check_bits(case, rtl)


def test_rtl_cycles(case: Case, rtl) -> None:
    assert measured_cycles(case, rtl) == predicted_cycles(case)
