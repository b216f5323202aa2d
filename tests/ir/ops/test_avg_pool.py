"""avg_pool: reference = plain loops = RTL, and cycles as predicted."""

import numpy as np

from . import dense
from .cases import Case
from .rtl import check_bits, measured_cycles, predicted_cycles

KIND = "avg_pool"


def test_reference(case: Case) -> None:
    op = case.op
    wanted = dense.avg_pool(case.inputs[0].values, op.kernel, op.stride, op.pad)
    assert np.array_equal(case.expected().values, wanted)


def test_rtl_bits(case: Case, rtl) -> None:
    check_bits(case, rtl)


def test_rtl_cycles(case: Case, rtl) -> None:
    assert measured_cycles(case, rtl) == predicted_cycles(case)
