"""How integers are chosen: never worse than plain rounding, and near the best there is where that can be counted."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penni_hls.ir.fixed import QType, rshift, sat
from penni_hls.quantize.activation_range import activation_scale, steady
from penni_hls.quantize.basis_range import identity_basis, quantize_basis
from penni_hls.quantize.coefficients import MAX_COLUMNS, fit, moments, rounded, row_scales

S8, U8, S4 = QType(8, True), QType(8, False), QType(4, True)


def sums_error(ints: np.ndarray, scale: np.ndarray, z: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Variance of each row's error: its mean is the bias's to make up for."""
    return (z @ (ints * scale[:, None]).T - target).var(axis=0)


def problem(seed: int, rows: int = 6, columns: int = 12, samples: int = 4000):
    """Sparse rows over correlated z, as neighbouring bases and channels are."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((columns, columns)) * 0.5 + np.eye(columns)
    z = np.clip(np.rint(rng.standard_normal((samples, columns)) @ mixing * 30), -128, 127)
    start = rng.standard_normal((rows, columns)) * (rng.random((rows, columns)) < 0.6)
    return start, z, z @ start.T


@pytest.mark.parametrize("qtype", [S8, S4, QType(2, True)], ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_fitted_coefficients_beat_rounded_ones(qtype: QType, seed: int) -> None:
    """On rows as long as those of real layers; a tenth is what the pull towards the float values may cost a row."""
    start, z, target = problem(seed, columns=60)
    m = moments(start, z, target)
    scale = row_scales(m, qtype)
    ints = fit(m, scale, qtype)
    assert np.abs(ints).max() <= qtype.hi and not ints[start == 0].any()
    fitted = sums_error(ints, scale, z, target)
    plain = sums_error(rounded(start, scale, qtype), scale, z, target)
    assert (fitted <= plain * 1.1).all() and fitted.sum() < (0.9 if qtype.bits < 8 else 1.0) * plain.sum()


def test_fitted_coefficients_come_near_the_best() -> None:
    """Four coefficients of three bits: every choice can be tried."""
    qtype = QType(3, True)
    start, z, target = problem(5, rows=8, columns=4)
    m = moments(start, z, target)
    scale = row_scales(m, qtype)
    got = sums_error(fit(m, scale, qtype), scale, z, target)
    choices = np.array(list(itertools.product(range(-qtype.hi, qtype.hi + 1), repeat=4)))
    for row in range(8):
        if scale[row]:
            allowed = choices[~choices[:, start[row] == 0].any(axis=1)]
            sums = z @ allowed.T * scale[row]
            best = (sums - target[:, [row]]).var(axis=0).min()
            assert got[row] <= 2.0 * best + 1e-9


def test_rows_of_zeros_stay_zeros() -> None:
    start, z, _ = problem(1)
    start[2] = 0
    m = moments(start, z, z @ start.T)
    scale = row_scales(m, S8)
    assert scale[2] == 0 and not fit(m, scale, S8)[2].any()


def test_many_columns_are_rounded_plainly() -> None:
    columns = MAX_COLUMNS + 1
    rng = np.random.default_rng(0)
    start, z = rng.standard_normal((2, columns)), rng.integers(0, 256, (50, columns))
    m = moments(start, z, z @ start.T)
    assert m.hessian.shape == (columns,)
    scale = row_scales(m, S8)
    np.testing.assert_array_equal(fit(m, scale, S8), rounded(start, scale, S8))


@given(st.integers(0, 1000), st.sampled_from([4, 5, 6, 7, 8]))
@settings(max_examples=25, deadline=None)
def test_basis_kernels_in_integers(seed: int, bits: int) -> None:
    """The integers keep within their width, and z * scale is near the float filter.

    Rounding a kernel of peak 1 to steps of 1/hi puts up to 1/(2*hi) on each of nine taps; z has steps of 1/127 of its
    range. The sum of both, with the windows as large as they are at the ends, bounds the error.
    """
    rng = np.random.default_rng(seed)
    basis = rng.standard_normal((3, 3, 3)) * rng.uniform(0.01, 10)
    windows = np.clip(rng.normal(40, 40, (2000, 9)), 0, 255).astype(np.uint8)
    top = 2 ** (bits - 1) - 1
    ints = quantize_basis(basis, windows, bits, S8)
    assert np.abs(ints.basis).max() <= top
    for b in range(3):
        sums = windows.astype(np.int64) @ ints.basis[b].ravel()
        got = sat(rshift(sums, ints.shifts[b]), S8) * ints.scale[b]
        want = windows @ basis[b].ravel()
        taps = np.abs(basis[b]).max() / (2 * top) * np.sqrt(np.square(windows.astype(float)).sum(axis=1).mean())
        steps = np.abs(want).max() / 127
        assert np.sqrt(np.square(got - want).mean()) <= taps + steps


def test_a_basis_of_zeros() -> None:
    ints = quantize_basis(np.zeros((1, 3, 3)), np.ones((10, 9), np.uint8), 8, S8)
    assert not ints.basis.any() and ints.shifts == (0,)


def test_the_identity_basis_picks_pixels() -> None:
    ints = identity_basis((3, 3), np.ones(9, bool))
    window = np.arange(9)
    assert (ints.basis.reshape(9, 9) @ window).tolist() == window.tolist()


@pytest.mark.parametrize("qtype", [U8, S8, QType(4, False), S4], ids=str)
def test_an_activation_scale_is_near_the_best(qtype: QType) -> None:
    rng = np.random.default_rng(0)
    values = rng.laplace(0, 1, 50_000)
    values = values if qtype.signed else np.maximum(values, 0)

    def error(step: float) -> float:
        return float(np.square(np.clip(np.rint(values / step), qtype.lo, qtype.hi) * step - values).mean())

    peak = max(values.max() / qtype.hi, values.min() / qtype.lo if qtype.lo else 0)
    best = min(error(peak * clip) for clip in np.linspace(0.25, 1, 200))
    assert error(activation_scale(values, qtype)) <= 1.05 * best


def test_an_activation_of_zeros_has_a_scale() -> None:
    assert activation_scale(np.zeros((2, 3)), U8) > 0


@given(st.floats(1e-6, 1e6))
def test_a_steady_scale_is_near_and_short(scale: float) -> None:
    got = steady(scale)
    assert scale <= got <= scale * (1 + 2**-11)
    mantissa = np.frexp(got)[0] * 4096
    assert mantissa == int(mantissa)
