"""clip: reference = plain loops = RTL, and cycles as predicted."""

import numpy as np

from . import dense
from .cases import Case
from .rtl import check_bits, measured_cycles, predicted_cycles

KIND = "clip"


def test_reference(case: Case) -> None:
    wanted = dense.clip(case.inputs[0].values, case.op.lo, case.op.hi)
    assert np.array_equal(case.expected().values, wanted)


def test_a_result_without_negative_values_has_no_sign(case: Case) -> None:
    x, y = case.op.x.qtype, case.op.out_spec.qtype
    assert y.signed == (case.op.lo < 0) and y.bits == x.bits - (x.signed and not y.signed)


def test_rtl_bits(case: Case, rtl) -> None:
    check_bits(case, rtl)


def test_rtl_cycles(case: Case, rtl) -> None:
    assert measured_cycles(case, rtl) == predicted_cycles(case)
