"""depthwise_conv: reference = plain loops = RTL, and cycles as predicted."""

import numpy as np

from penni_hls.ir.ops import BasisConv, SparseMac

from . import dense
from .cases import Case
from .rtl import check_bits, measured_cycles, predicted_cycles

KIND = "depthwise_conv"


def test_reference(case: Case) -> None:
    op = case.op
    wanted = dense.depthwise_conv(case.inputs[0].values, op.coefs, op.requant, op.stride, op.pad, op.pad_value)
    assert np.array_equal(case.expected().values, wanted)


def test_it_is_the_pair_of_unit_kernels_and_block_diagonal_coefficients(case: Case) -> None:
    op = case.op
    c, kh, kw = op.coefs.shape
    taps = kh * kw
    units = np.eye(taps, dtype=np.int64).reshape(taps, kh, kw)
    basis = BasisConv(op.x, units, (0,) * taps, op.x.qtype, op.stride, op.pad, op.pad_value)
    rows = np.zeros((c, c, taps), np.int64)
    rows[np.arange(c), np.arange(c)] = op.coefs.reshape(c, -1)
    mac = SparseMac(basis.out_spec, rows.reshape(c, -1), op.coef_type, op.requant)
    assert np.array_equal(mac.reference(basis.reference(*case.inputs)).values, case.expected().values)


def test_rtl_bits(case: Case, rtl) -> None:
    check_bits(case, rtl)


def test_rtl_cycles(case: Case, rtl) -> None:
    assert measured_cycles(case, rtl) == predicted_cycles(case)
