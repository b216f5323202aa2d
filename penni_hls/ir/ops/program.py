"""The program of a sparse matrix product: which lane multiplies which non-zero in which cycle. Held by `sparse_mac`.

All lanes walk in lockstep: one program word per cycle holds an entry for each lane, {coefficient, address, last}. An output
channel belongs to one lane; its entries are consecutive and the final one carries `last`. A row without non-zeros is one
entry with coefficient 0. Lanes that end early are filled up with entries of coefficient 0 without `last`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Entry:
    coef: int
    address: int
    last: bool


IDLE = Entry(0, 0, False)


@dataclass(frozen=True)
class Program:
    """rows[l]: the output channels of lane l in the order they end, ascending. words[t][l]: the entry of lane l in cycle t."""

    rows: tuple[tuple[int, ...], ...]
    words: tuple[tuple[Entry, ...], ...]

    @property
    def lanes(self) -> int:
        return len(self.rows)

    def lane_of(self) -> list[int]:
        """The lane of each output channel."""
        lane = [0] * sum(map(len, self.rows))
        for index, rows in enumerate(self.rows):
            for row in rows:
                lane[row] = index
        return lane


def row_entries(row: np.ndarray) -> list[Entry]:
    """Entries of one output channel; row: int64 (addresses,)."""
    used = np.flatnonzero(row).tolist() or [0]
    return [Entry(int(row[a]), a, a == used[-1]) for a in used]


def pack(coefs: np.ndarray, lanes: int) -> Program:
    """coefs int64 (C_out, addresses) -> Program. Longest processing time first; ties go to the lower lane and channel."""
    entries = [row_entries(row) for row in coefs]
    load = [0] * lanes
    rows: list[list[int]] = [[] for _ in range(lanes)]
    for channel in sorted(range(len(entries)), key=lambda o: (-len(entries[o]), o)):
        lane = min(range(lanes), key=lambda i: (load[i], i))
        rows[lane].append(channel)
        load[lane] += len(entries[channel])
    columns = []
    for lane in rows:
        lane.sort()
        column = [entry for channel in lane for entry in entries[channel]]
        columns.append(column + [IDLE] * (max(load) - len(column)))
    return Program(tuple(map(tuple, rows)), tuple(zip(*columns)))
