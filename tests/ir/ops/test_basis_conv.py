"""basis_conv: reference = dense loops = RTL, and cycles as predicted."""

import numpy as np

from . import dense
from .cases import Case
from .rtl import check_bits, measured_cycles, predicted_cycles

KIND = "basis_conv"


def test_reference(case: Case) -> None:
    op = case.op
    wanted = dense.basis_conv(
        case.inputs[0].values, op.basis, op.shifts, op.stride, op.pad, op.pad_value, op.z_type.bits, op.z_type.signed
    )
    assert np.array_equal(case.expected().values, wanted if op.used is None else wanted[..., op.used][..., None])


def test_rtl_bits(case: Case, rtl) -> None:
    check_bits(case, rtl)


def test_rtl_cycles(case: Case, rtl) -> None:
    assert measured_cycles(case, rtl) == predicted_cycles(case)
