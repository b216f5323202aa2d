"""Integer coefficients: one scale per row, and values that minimize the error of the row's sum, not of each value.

With z the integers that the coefficients multiply and t the target float sums, the error of a row w (in units of its
scale r) is mean((r * w.z - t)^2) over samples of z, means removed: the bias compensates for those. Coordinate descent
starts from plain rounding, for narrow types also from rounding with error feedback (as GPTQ does), and each row keeps
the better result. Zero coefficients stay zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..ir.fixed import QType
from .exact import bits_of, on_grid, spare_bits

SWEEPS = 4
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


def moments(start: np.ndarray, z: np.ndarray, target: np.ndarray) -> Moments:
    """start float64 (C_out, J), z (P, J) integers, target (P, C_out) floats: the target sums, without bias."""
    samples, columns = z.shape
    z, target = _exact_factors(z, target)
    mean, target_mean = z.mean(axis=0), target.mean(axis=0)
    if columns > MAX_COLUMNS:
        hessian = np.square(z).mean(axis=0) - np.square(mean) + 1e-12
        return Moments(start, mean, target_mean, hessian, start * hessian)
    hessian = z.T @ z / samples - np.outer(mean, mean)
    # Damping: pulls towards the float coefficients, more strongly the fewer samples there are per column.
    damping = np.diagonal(hessian).mean() * (0.01 + 0.1 * columns / samples) + 1e-12
    hessian[np.diag_indices(columns)] += damping
    cross = target.T @ z / samples - np.outer(target_mean, mean) + damping * start
    # For the products with integers below.
    return Moments(start, mean, target_mean, on_grid(hessian, spare_bits(columns, MAX_BITS)), cross)


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


def _weighted(ints: np.ndarray, m: Moments) -> np.ndarray:
    """Integers (C_out, J) times the hessian: exact sums, too."""
    return ints * m.hessian if m.hessian.ndim == 1 else ints @ m.hessian


def _error(ints: np.ndarray, scale: np.ndarray, m: Moments) -> np.ndarray:
    """ints (C_out, J) at row scales (C_out,) -> (C_out,) the error, up to a constant of the row."""
    unit = scale[:, None]
    return ((_weighted(ints, m) * unit - 2 * m.cross) * (ints * unit)).sum(axis=1)


def rounding_error(blocks: Sequence[Moments], qtype: QType) -> float:
    """Mean square error of a row's sum with coefficients rounded to `qtype`, each row at its best scale, where the errors
    of the products are independent; blocks: of the rows."""
    rows = []
    for m in blocks:
        variance = m.hessian if m.hessian.ndim == 1 else np.diagonal(m.hessian)
        peak = np.abs(m.start).max(axis=1)
        scales = [peak * clip / qtype.hi for clip in _clips(qtype)]
        wrong = [rounded(m.start, scale, qtype) * scale[:, None] - m.start for scale in scales]
        rows.append(np.min([(np.square(w) * variance).sum(axis=1) for w in wrong], axis=0))
    return float(np.concatenate(rows).mean())


def _clips(qtype: QType) -> tuple[float, ...]:
    return CLIPS_NARROW if qtype.bits <= NARROW else CLIPS_WIDE


def row_scales(m: Moments, qtype: QType) -> np.ndarray:
    """The scale r of each row, float64 (C_out,): the best of several clippings; 0 for a row of zeros."""
    peak = np.abs(m.start).max(axis=1)
    best, best_error = peak / qtype.hi, np.full(len(peak), np.inf)
    for clip in _clips(qtype):
        scale = peak * clip / qtype.hi
        error = _error(rounded(m.start, scale, qtype), scale, m)
        better = error < best_error
        best, best_error = np.where(better, scale, best), np.where(better, error, best_error)
    return best


def rounded(values: np.ndarray, scale: np.ndarray, qtype: QType) -> np.ndarray:
    """values / scale, rounded and clipped symmetrically; float64 integers. Rows of scale 0 are 0."""
    unit = np.where(scale > 0, scale, 1.0)[:, None]
    return np.clip(np.rint(values / unit), -qtype.hi, qtype.hi) * (scale > 0)[:, None]


def fit(m: Moments, scale: np.ndarray, qtype: QType) -> np.ndarray:
    """The integer coefficients at the given row scales: int64 (C_out, J)."""
    plain = rounded(m.start, scale, qtype)
    if m.hessian.ndim == 1:
        return plain.astype(np.int64)
    support = (m.start != 0) & (scale > 0)[:, None]
    best = _descend(plain, m, scale, support, qtype)
    if qtype.bits <= NARROW:
        other = _descend(_feedback(m, scale, support, qtype), m, scale, support, qtype)
        errors = [_error(ints, scale, m) for ints in (best, other)]
        best = np.where((errors[0] <= errors[1])[:, None], best, other)
    return best.astype(np.int64)


def _feedback(m: Moments, scale: np.ndarray, support: np.ndarray, qtype: QType) -> np.ndarray:
    """Rounding column by column, where the later columns compensate the error of each; float64 integers.

    Columns of the largest variance come first. Rows with the same non-zero positions are processed together.
    """
    order = np.argsort(-np.diagonal(m.hessian), kind="stable")
    result = np.zeros(support.shape)
    groups: dict[bytes, list[int]] = {}
    for row in np.flatnonzero(support.any(axis=1)).tolist():
        groups.setdefault(support[row].tobytes(), []).append(row)
    for rows in groups.values():
        used = order[support[rows[0], order]]
        if len(used) > MAX_SOLVED and len(groups) > 1:
            result[rows] = rounded(m.start[rows], scale[rows], qtype)
            continue
        inverse = np.linalg.inv(m.hessian[np.ix_(used, used)])
        spread = np.linalg.cholesky((inverse + inverse.T) / 2).T
        rest = m.cross[np.ix_(rows, used)] @ inverse
        unit = scale[rows]
        for j, column in enumerate(used):
            ints = np.clip(np.rint(_settled(rest[:, j] / unit)), -qtype.hi, qtype.hi)
            result[rows, column] = ints
            rest[:, j:] -= ((rest[:, j] - ints * unit) / spread[j, j])[:, None] * spread[j, j:]
    return result


def _settled(values: np.ndarray) -> np.ndarray:
    """Without the last bits, in which LAPACK's results differ between machines: a tie stays one."""
    return np.rint(values * SETTLED) / SETTLED


def _descend(ints: np.ndarray, m: Moments, scale: np.ndarray, support: np.ndarray, qtype: QType) -> np.ndarray:
    """Coordinate descent from `ints` until nothing changes, SWEEPS times at most."""
    ints = ints.copy()
    unit = np.where(scale > 0, scale, 1.0)
    slope = _weighted(ints, m) * unit[:, None] - m.cross
    for _ in range(SWEEPS):
        if not _sweep(ints, slope, support, unit, m.hessian, qtype):
            break
    return ints


def _sweep(
    ints: np.ndarray, slope: np.ndarray, support: np.ndarray, unit: np.ndarray, hessian: np.ndarray, qtype: QType
) -> bool:
    """Set each coordinate in turn to its best integer, in place; True when any changed."""
    changed = False
    for j in range(ints.shape[1]):
        rows = np.flatnonzero(support[:, j])
        if not len(rows):
            continue
        old = ints[rows, j]
        new = np.clip(np.rint(old - slope[rows, j] / (hessian[j, j] * unit[rows])), -qtype.hi, qtype.hi)
        moved = new != old
        if moved.any():
            rows = rows[moved]
            step = (new - old)[moved]
            ints[rows, j] = new[moved]
            slope[rows] += (step * unit[rows])[:, None] * hessian[j]
            changed = True
    return changed
