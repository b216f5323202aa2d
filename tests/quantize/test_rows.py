"""Coefficients of a sparse layer, chosen on its non-zeros alone: as good as on all columns."""

from __future__ import annotations

import numpy as np
import pytest

from penni_hls.ir.fixed import QType
from penni_hls.quantize import rows as rows_module
from penni_hls.quantize.coefficients import SWEEPS, Moments, fit, moments, row_scales
from penni_hls.quantize.rows import rows_of

SHAPES = [(12, 40, 1.0), (20, 50, 0.5), (24, 160, 0.05), (7, 9, 0.2)]  # rows, columns, share of non-zeros


def made(rows: int, columns: int, share: float, seed: int = 0) -> Moments:
    """Of correlated integers; one row is zeros, another is full."""
    rng = np.random.default_rng(seed)
    start = rng.standard_normal((rows, columns)) * (rng.random((rows, columns)) < share)
    start[1], start[2] = 0, rng.standard_normal(columns)
    mixed = rng.integers(-100, 101, (900, columns)) @ (np.eye(columns) + 0.3 * rng.standard_normal((columns, columns)))
    z = np.clip(np.rint(mixed / 4), -128, 127).astype(np.int8)
    return moments(start, z, z @ start.T + rng.standard_normal((900, rows)))


def error(m: Moments, ints: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(C_out,), up to a constant of the row."""
    w = ints * scale[:, None]
    return np.einsum("rj,jk,rk->r", w, m.hessian, w) - 2 * (w * m.cross).sum(1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("values", [1 << 22, 3000, 1])
def test_rows_hold_every_non_zero_once(shape, values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "VALUES", values)
    m = made(*shape)
    again, seen = np.zeros(m.start.shape), np.zeros(len(m.start), int)
    for part in rows_of(m.start != 0, m.hessian, m.order):
        part.put(part.of(m.start), again)
        np.add.at(seen, part.index, 1)
        ints = np.random.default_rng(1).integers(-9, 10, (2, *part.live.shape)) * part.live
        for found, one in zip(part.weighted(ints.astype(float)), ints):
            whole = np.zeros(m.start.shape)
            part.put(one, whole)
            np.testing.assert_array_equal(found * part.live, part.of(whole @ m.hessian) * part.live)
    np.testing.assert_array_equal(again, m.start)
    np.testing.assert_array_equal(seen, (m.start != 0).any(axis=1))


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_fit_is_no_worse_than_rounding_and_keeps_zeros(shape, bits: int) -> None:
    m, qtype = made(*shape), QType(bits, signed=True)
    scale = row_scales(m, qtype)
    ints = fit(m, scale, qtype)
    assert np.abs(ints).max() <= qtype.hi and not ints[m.start == 0].any()
    unit = np.where(scale > 0, scale, 1)
    plain = np.clip(np.rint(m.start / unit[:, None]), -qtype.hi, qtype.hi)
    found, rounded = error(m, ints, scale), error(m, plain, scale)
    assert (found <= rounded + 1e-9 * np.abs(rounded)).all()
    assert shape == SHAPES[-1] or found.sum() < rounded.sum()  # of one or two non-zeros rounding may be the best


def test_no_single_step_improves_a_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penni_hls.quantize.coefficients.SWEEPS", 20 * SWEEPS)
    m, qtype = made(24, 160, 0.05), QType(4, signed=True)
    scale = row_scales(m, qtype)
    ints = fit(m, scale, qtype)
    best = error(m, ints, scale)
    for row, column in zip(*np.nonzero(m.start)):
        for step in (-1, 1):
            other = ints.copy()
            other[row, column] += step
            if abs(other[row, column]) <= qtype.hi:
                assert error(m, other, scale)[row] >= best[row] - 1e-9 * abs(best[row])


@pytest.mark.parametrize("share", [0.05, 1.0])
def test_what_a_row_becomes_does_not_depend_on_the_others(share: float) -> None:
    """Nor on how many are worked on at a time."""
    m, qtype = made(24, 60, share), QType(3, signed=True)
    scale = row_scales(m, qtype)
    ints = fit(m, scale, qtype)
    for row in range(len(ints)):
        one = slice(row, row + 1)
        alone = Moments(m.start[one], m.mean, m.target_mean[one], m.hessian, m.cross[one])
        np.testing.assert_allclose(row_scales(alone, qtype), scale[one])
        np.testing.assert_array_equal(fit(alone, scale[one], qtype), ints[one])
