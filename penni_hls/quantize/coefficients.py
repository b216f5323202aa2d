"""Integer coefficients: one scale per row, and values that minimize the error of the row's sum, not of each value.

With z the integers that the coefficients multiply and t the target float sums, the error of a row w (in units of its
scale r) is mean((r * w.z - t)^2) over samples of z, means removed: the bias compensates for those. Coordinate descent
starts from plain rounding, for narrow types also from rounding with error feedback (as GPTQ does), and each row keeps
the better result. Zero coefficients stay zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..ir.fixed import EXACT_FLOAT32, QType
from .exact import bits_of, on_grid, spare_bits
from .rows import Rows, packed, rows_of

SWEEPS = 4
FEWEST = 512  # samples for which a sum of their own pays off
MAX_COLUMNS = 4096  # of a full covariance matrix; above, only its diagonal is used
MAX_SOLVED = 384  # non-zeros of a row up to which its own linear system is solved
NARROW = 5  # bits up to which a more expensive search pays off
MAX_BITS = 8  # of an integer coefficient
SETTLED = 2.0**20
CLIPS_WIDE = (1.0, 0.95, 0.9)  # of the largest coefficient of a row
CLIPS_NARROW = tuple(1.0 - 0.05 * i for i in range(13))


@dataclass(frozen=True, eq=False)
class Moments:
    """Statistics of samples of z: start (C_out, J) float coefficients in units of z; mean (J,) of z; target mean
    (C_out,); hessian (J, J) covariance of z, or its diagonal (J,); cross (C_out, J) covariance of the target and z."""

    start: np.ndarray
    mean: np.ndarray
    target_mean: np.ndarray
    hessian: np.ndarray
    cross: np.ndarray

    @property
    def variance(self) -> np.ndarray:
        return self.hessian if self.hessian.ndim == 1 else np.diagonal(self.hessian)

    @property
    def order(self) -> np.ndarray:
        """The columns, those of the largest variance first: in this order they become integers."""
        return np.argsort(-self.variance, kind="stable")

    @cached_property
    def rows(self) -> tuple[Rows, ...]:
        return tuple(rows_of(self.start != 0, self.hessian, self.order))


def moments(start: np.ndarray, z: np.ndarray, target: np.ndarray) -> Moments:
    """start float64 (C_out, J), z (P, J) integers, target (P, C_out) floats: the target sums, without bias."""
    samples, columns = z.shape
    gram = _gram(z) if columns <= MAX_COLUMNS else None
    z, target = _exact_factors(z, target)
    mean, target_mean = z.mean(axis=0), target.mean(axis=0)
    if gram is None:
        hessian = np.square(z).mean(axis=0) - np.square(mean) + 1e-12
        return Moments(start, mean, target_mean, hessian, start * hessian)
    hessian = gram / samples - np.outer(mean, mean)
    # Damping: pulls towards the float coefficients, more strongly the fewer samples there are per column.
    damping = np.diagonal(hessian).mean() * (0.01 + 0.1 * columns / samples) + 1e-12
    hessian[np.diag_indices(columns)] += damping
    cross = target.T @ z / samples - np.outer(target_mean, mean) + damping * start
    # For the products with integers below.
    return Moments(start, mean, target_mean, on_grid(hessian, spare_bits(columns, MAX_BITS)), cross)


def _gram(z: np.ndarray) -> np.ndarray:
    """z (P, J) integers -> z.T @ z, float64, exact or, where z is wider than 19 bits, on the grid of `_exact_factors`.

    Of narrow integers as many samples at a time as float32 holds sums of their products: that is twice as fast.
    """
    peak = max(int(z.max(initial=0)), -int(z.min(initial=0)), 1)
    step = EXACT_FLOAT32 // peak**2
    if step < FEWEST:
        wide = _exact_factors(z, z[:, :0])[0]
        return wide.T @ wide
    total = np.zeros((z.shape[1], z.shape[1]))
    for start in range(0, len(z), step):
        part = z[start : start + step].astype(np.float32)
        total += part.T @ part
    return total


def _exact_factors(z: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """z and target in float64, such that z.T @ z and target.T @ z are exact sums, the same on every machine.

    Integers z of up to 19 bits are left as they are: wider ones are sums over whole maps.
    """
    samples, bits = len(z), bits_of(z)
    most = spare_bits(samples) // 2
    z = z.astype(np.float64)
    if bits > most:
        z, bits = on_grid(z, most), most
    return z, on_grid(target.astype(np.float64), spare_bits(samples, bits), axis=0)


def _error(ints: np.ndarray, scale: np.ndarray, m: Moments, part: Rows) -> np.ndarray:
    """ints (K, R, S) at row scales (K, R) or (R,) -> (K, R) the error, up to a constant of the row."""
    unit = scale[..., None]
    return ((part.weighted(ints) * unit - 2 * part.of(m.cross)) * (ints * unit)).sum(axis=-1)


def rounding_error(blocks: Sequence[Moments], qtype: QType) -> float:
    """Mean square error of a row's sum with coefficients rounded to `qtype`, each row at its best scale, where the errors
    of the products are independent; blocks: of the rows."""
    return float(np.concatenate([_rounding_errors(m, qtype) for m in blocks]).mean())


def _rounding_errors(m: Moments, qtype: QType) -> np.ndarray:
    """(C_out,), of the non-zeros of each row."""
    row, column = np.nonzero(m.start)
    found = np.zeros(len(m.start))
    if not len(row):
        return found
    values, weight, first = m.start[row, column], m.variance[column], np.flatnonzero(np.diff(row, prepend=-1))
    peak = np.abs(m.start).max(axis=1)
    errors = []
    for clip in _clips(qtype):
        unit = (peak * clip / qtype.hi)[row]
        wrong = np.clip(np.rint(values / unit), -qtype.hi, qtype.hi) * unit - values
        errors.append(np.add.reduceat(np.square(wrong) * weight, first))
    found[row[first]] = np.min(errors, axis=0)
    return found


def _clips(qtype: QType) -> tuple[float, ...]:
    return CLIPS_NARROW if qtype.bits <= NARROW else CLIPS_WIDE


def row_scales(m: Moments, qtype: QType) -> np.ndarray:
    """The scale r of each row, float64 (C_out,): the best of several clippings; 0 for a row of zeros."""
    peak = np.abs(m.start).max(axis=1)
    best, clips = peak / qtype.hi, np.array(_clips(qtype))
    for part in m.rows:
        scales = peak[part.index] * clips[:, None] / qtype.hi
        ints = rounded(part.of(m.start), scales, qtype)
        best[part.index] = scales[_error(ints, scales, m, part).argmin(axis=0), np.arange(len(part.index))]
    return best


def rounded(values: np.ndarray, scale: np.ndarray, qtype: QType) -> np.ndarray:
    """values (..., S) / scale (...), rounded and clipped symmetrically; float64 integers. Rows of scale 0 are 0."""
    unit = np.where(scale > 0, scale, 1.0)[..., None]
    return np.clip(np.rint(values / unit), -qtype.hi, qtype.hi) * (scale > 0)[..., None]


def fit(m: Moments, scale: np.ndarray, qtype: QType) -> np.ndarray:
    """The integer coefficients at the given row scales, above 0 but in rows of zeros: int64 (C_out, J)."""
    if m.hessian.ndim == 1:
        return rounded(m.start, scale, qtype).astype(np.int64)
    found = np.zeros(m.start.shape, np.int64)
    for part in m.rows:
        unit = scale[part.index]
        best = _descend(rounded(part.of(m.start), unit, qtype), unit, m, part, qtype)
        if qtype.bits <= NARROW:
            other = _descend(_feedback(m, scale, part, qtype), unit, m, part, qtype)
            errors = _error(np.stack([best, other]), unit, m, part)
            best = np.where((errors[0] <= errors[1])[:, None], best, other)
        part.put(best.astype(np.int64), found)
    return found


def _feedback(m: Moments, scale: np.ndarray, part: Rows, qtype: QType) -> np.ndarray:
    """Rounding column by column, where the later columns compensate the error of each; float64 integers (R, S).

    Where rows differ, those with many non-zeros are just rounded.
    """
    if part.live.all() and len(part.columns) == 1:
        return _compensated(m, scale[part.index], part, qtype)
    many = part.live.sum(axis=1) > MAX_SOLVED
    if len(part.columns) > 1 and not many.any():
        return _compensated(m, scale[part.index], part, qtype)
    support = np.zeros(m.start.shape, bool)
    part.put(part.live & ~many[:, None], support)
    result = rounded(m.start, scale, qtype)
    for own in packed(support, m.hessian, m.order):
        own.put(_compensated(m, scale[own.index], own, qtype), result)
    return part.of(result)


def _compensated(m: Moments, unit: np.ndarray, part: Rows, qtype: QType) -> np.ndarray:
    """unit (R,): scales. -> float64 integers (R, S).

    With the covariance as V V^T, V upper triangular, the error of a row is the square of (x - x0) V, x0 the best floats: of
    its element j, each x_j decides when those before it are known.
    """
    hessian, columns = part.hessian, part.live.shape[1]
    if len(hessian) > 1:  # what fills a row up has no part in it
        hessian = hessian * (part.live[:, :, None] & part.live[:, None, :])
        hessian[:, range(columns), range(columns)] += ~part.live
    upper = np.linalg.cholesky(hessian[:, ::-1, ::-1])[:, ::-1, ::-1]
    ends = upper[:, range(columns), range(columns)]
    best = part.of(m.cross) * part.live  # to be divided by V^T, from the last element on, then by V
    for j in reversed(range(columns)):
        best[:, j] /= ends[:, j]
        best[:, :j] -= best[:, j, None] * upper[:, :j, j]
    ratio = upper / ends[:, None, :]
    best /= ends
    for j in range(columns):
        best[:, j + 1 :] -= best[:, j, None] * ratio[:, j, j + 1 :]
    wanted, result = best.copy(), np.zeros(best.shape)
    for j in range(columns):
        result[:, j] = np.clip(np.rint(_settled(wanted[:, j] / unit)), -qtype.hi, qtype.hi)
        error = result[:, j] * unit - best[:, j]
        wanted[:, j + 1 :] -= error[:, None] * ratio[:, j, j + 1 :]
    return result


def _settled(values: np.ndarray) -> np.ndarray:
    """Without the last bits, in which LAPACK's results differ between machines: a tie stays one."""
    return np.rint(values * SETTLED) / SETTLED


def _descend(ints: np.ndarray, unit: np.ndarray, m: Moments, part: Rows, qtype: QType) -> np.ndarray:
    """ints (R, S) at scales (R,): coordinate descent from there until nothing changes, SWEEPS times at most."""
    ints = ints * part.live
    slope = part.weighted(ints[None])[0] * unit[:, None] - part.of(m.cross)
    for _ in range(SWEEPS):
        if not _sweep(ints, slope, unit, part, qtype):
            break
    return ints


def _sweep(ints: np.ndarray, slope: np.ndarray, unit: np.ndarray, part: Rows, qtype: QType) -> bool:
    """Set each coordinate in turn to its best integer, in place; True when any changed."""
    changed, hessian = False, part.hessian
    for j in range(ints.shape[1]):
        old = ints[:, j]
        new = np.clip(np.rint(old - slope[:, j] / (hessian[:, j, j] * unit)), -qtype.hi, qtype.hi)
        rows = np.flatnonzero((new != old) & part.live[:, j])
        if len(rows):
            step = (new[rows] - old[rows]) * unit[rows]
            ints[rows, j] = new[rows]
            slope[rows] += step[:, None] * hessian[rows if len(hessian) > 1 else 0, j]
            changed = True
    return changed
