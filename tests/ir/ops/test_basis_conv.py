"""basis_conv: reference = dense loops = RTL, and cycles as predicted."""

import numpy as np

from . import dense
from .cases import Case
from .rtl import check_bits, measured_cycles

KIND = "basis_conv"
# The buffer of a map without padding is a little short at the end of a frame: the next frame's rows wait for the last
# group.
ROW_BOUND = {"basis_valid"}


def test_reference(case: Case) -> None:
    op = case.op
    wanted = dense.basis_conv(
        case.inputs[0].values, op.basis, op.shifts, op.stride, op.pad, op.pad_value, op.z_type.bits, op.z_type.signed
    )
    assert np.array_equal(case.expected().values, wanted)


def test_rtl_bits(case: Case, rtl) -> None:
    check_bits(case, rtl)


def test_rtl_cycles(case: Case, rtl) -> None:
    predicted, measured = case.op.cycles(case.folding), measured_cycles(case, rtl)
    if case.id in ROW_BOUND:
        assert predicted <= measured <= 1.1 * predicted
    else:
        assert measured == predicted
