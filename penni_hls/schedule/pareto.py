"""Points that no other point beats in every respect."""

from __future__ import annotations

import numpy as np

FEW = 24  # points that are compared each with each
CHUNK = 2048  # points of which a front is found at once


def front(points: np.ndarray) -> np.ndarray:
    """points (n, k), less is better -> indices, ascending, of those that no other one is as good as in every column; of
    equal points the first."""
    kept = np.arange(len(points))
    if len(kept) <= FEW:
        return kept[_kept_of_few(points)] if len(kept) > 1 else kept
    while len(kept) > CHUNK:
        before = len(kept)
        parts = (kept[start : start + CHUNK] for start in range(0, before, CHUNK))
        kept = np.concatenate([part[_front(points[part])] for part in parts])
        if len(kept) > 0.9 * before:
            break
    return kept[_front(points[kept])]


def _kept_of_few(points: np.ndarray) -> np.ndarray:
    """bool (n,)"""
    as_good = (points[:, None] <= points).all(2)  # [i, j]: i is as good as j
    before = np.tri(len(points), k=-1, dtype=bool).T  # [i, j]: i < j
    return ~(as_good & (before | ~as_good.T)).any(0)


def _front(points: np.ndarray) -> np.ndarray:
    """A point is beaten only by points whose sum is no larger, so of the first that are left only these beat each other."""
    scale = np.abs(points).max(0, initial=0)
    order = np.argsort((points / np.where(scale > 0, scale, 1)).sum(1), kind="stable")
    found, left = [], np.ascontiguousarray(points[order].T)
    while len(order):
        few = order[:FEW][_kept_of_few(points[order[:FEW]])]
        found.append(few)
        order, left = order[FEW:], left[:, FEW:]
        best = points[few].T[:, :, None]
        beaten = best[0] <= left[0]  # [i, j]: by the i-th
        for good, column in zip(best[1:], left[1:]):
            beaten &= good <= column
        kept = ~beaten.any(0)
        order, left = order[kept], left[:, kept]
    return np.sort(np.concatenate([np.zeros(0, np.int64), *found]))
