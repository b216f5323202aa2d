"""Rows of a matrix of coefficients with their non-zeros side by side, and the part of the covariance that these meet.

Of a compressed layer a row has dozens of non-zeros among thousands of columns: what is done row by row on these alone
takes a hundredth of the time, and gives the same sums.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

VALUES = 1 << 22  # of the covariances of several rows that are held at a time
DENSE = 0.25  # of the columns: where rows have more non-zeros, they share one covariance


@dataclass(frozen=True, eq=False)
class Rows:
    """index (R,): which rows. columns: int64 (R, S), or (1, S) where all share them. live: bool (R, S), False where a
    shorter row is filled up. hessian: (R, S, S), or (1, S, S) for all; where it is diagonal (R, S) or (1, S)."""

    index: np.ndarray
    columns: np.ndarray
    live: np.ndarray
    hessian: np.ndarray

    def of(self, values: np.ndarray) -> np.ndarray:
        """values (C_out, J) -> (R, S)."""
        return values[self.index[:, None], self.columns]

    def put(self, values: np.ndarray, into: np.ndarray) -> None:
        """The inverse: values (R, S) -> into (C_out, J)."""
        row, place = np.nonzero(self.live)
        into[self.index[row], self.columns[row if len(self.columns) > 1 else 0, place]] = values[row, place]

    def weighted(self, ints: np.ndarray) -> np.ndarray:
        """Integers (K, R, S) times the covariance: exact sums, so the same in any order."""
        if self.hessian.ndim == 2:
            return ints * self.hessian
        if len(self.hessian) == 1:
            return ints @ self.hessian[0]
        return (ints.swapaxes(0, 1) @ self.hessian).swapaxes(0, 1)


def rows_of(support: np.ndarray, hessian: np.ndarray, order: np.ndarray) -> Iterator[Rows]:
    """The rows of `support`, bool (C_out, J), that have any non-zero; hessian (J, J), or its diagonal (J,). order: of the
    columns."""
    some, used = np.flatnonzero(support.any(axis=1)), order[support.any(axis=0)[order]]
    if support.sum() <= DENSE * len(some) * len(used):
        yield from packed(support, hessian, order)
    else:
        part = hessian[used] if hessian.ndim == 1 else hessian[np.ix_(used, used)]
        yield Rows(some, used[None], support[np.ix_(some, used)], part[None])


def packed(support: np.ndarray, hessian: np.ndarray, order: np.ndarray) -> Iterator[Rows]:
    """The same, each row on columns of its own; rows of about as many non-zeros together."""
    counts = support.sum(axis=1)
    left = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    while len(left):
        size = int(counts[left[0]])
        index = np.sort(left[: max(1, VALUES // size**hessian.ndim)])
        left = left[len(index) :]
        first = np.argsort(~support[np.ix_(index, order)], axis=1, kind="stable")[:, :size]
        columns, live = order[first], np.arange(size) < counts[index, None]
        if hessian.ndim == 1:
            yield Rows(index, columns, live, hessian[columns])
        else:
            yield Rows(index, columns, live, hessian[columns[:, :, None], columns[:, None, :]])
