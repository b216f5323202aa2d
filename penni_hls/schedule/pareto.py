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
    """A point is beaten only by points whose sum is no larger, so the first that is left is on the front."""
    scale = np.abs(points).max(0, initial=0)
    order = np.argsort((points / np.where(scale > 0, scale, 1)).sum(1), kind="stable")
    found, left = [], np.ascontiguousarray(points[order].T)
    while len(order):
        found.append(order[0])
        kept = left[0] < left[0, 0]
        for column in left[1:]:
            kept |= column < column[0]
        order, left = order[kept], left[:, kept]
    return np.sort(np.array(found, dtype=np.int64))
