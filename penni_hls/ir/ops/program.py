"""The program of a sparse matrix product: which lane multiplies which non-zero in which cycle. Held by `sparse_mac`.

All lanes walk in lockstep: one program word per cycle holds an entry for each lane, {coefficient, where, last}. An
output channel belongs to one lane; its entries are consecutive, addresses ascending. `where` is the address, or the
step to it from the address before (from 0 at the first entry of a row). A step that is too long for its bits is made in
several, with entries of coefficient 0. A row's final entry carries `last`, or a row begins with the largest step there
is: this one goes to address 0, and says that the row before has ended. A row without non-zeros is an entry with
coefficient 0. Lanes that end early are filled up with entries of coefficient 0 that stay where they are.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from ...target.memory import address_bits

RowEnds = Literal["bit", "step"]
BIT, STEP = "bit", "step"
FEW_WORDS, MORE_WORDS = 0.04, 0.12  # of the shortest program: what a smaller memory may cost


@dataclass(frozen=True)
class Coding:
    """How entries are written. step_bits: of a step; 0: entries hold addresses. row_ends: by a bit of each entry, or
    by the largest step."""

    step_bits: int = 0
    row_ends: RowEnds = BIT

    def __post_init__(self) -> None:
        if self.row_ends == STEP and self.step_bits < 2:
            raise ValueError(f"program: {self.step_bits} bits hold no step that begins a row and others")

    @property
    def longest(self) -> int:
        """The longest step within a row."""
        return (1 << self.step_bits) - (1 if self.row_ends == BIT else 2)

    @property
    def row_step(self) -> int:
        """The step that begins a row."""
        return (1 << self.step_bits) - 1

    def where_bits(self, depth: int) -> int:
        """Width of an address, or of a step."""
        return self.step_bits or address_bits(depth)

    def bits(self, depth: int, coef_bits: int) -> int:
        """Width of an entry."""
        return coef_bits + self.where_bits(depth) + (self.row_ends == BIT)


def codings(depth: int) -> tuple[Coding, ...]:
    """Every coding that is of use for so many addresses."""
    widths = range(2, address_bits(depth) + 1)
    return (Coding(), *(Coding(bits, ends) for bits in widths for ends in (BIT, STEP)))


@dataclass(frozen=True, eq=False)
class Entries:
    """int64 (..., entries). where: the address, or the step to it. last: 1 at the end of a row, where a bit says so."""

    coef: np.ndarray
    where: np.ndarray
    last: np.ndarray


@dataclass(frozen=True, eq=False)
class NonZeros:
    """The non-zeros of a matrix, row by row; a row without any has one entry, coefficient 0 at address 0.

    coef, address: int64 (entries,). start: int64 (rows + 1,), where each row begins."""

    coef: np.ndarray
    address: np.ndarray
    start: np.ndarray

    @classmethod
    def of(cls, coefs: np.ndarray) -> NonZeros:
        """coefs: int64 (C_out, addresses)."""
        used = coefs != 0
        used[~used.any(1), 0] = True
        row, address = np.nonzero(used)
        return cls(coefs[row, address], address, np.searchsorted(row, np.arange(len(coefs) + 1)))

    def words(self, coding: Coding) -> tuple[np.ndarray, np.ndarray]:
        """int64 (rows,): the entries of each row; and of each row where it is the first of its lane."""
        if not coding.step_bits:
            return np.diff(self.start), np.diff(self.start)
        first = self.start[:-1]
        steps = np.diff(self.address, prepend=0)
        steps[first] = 0
        within = -(-steps // coding.longest)  # a step within a row is 1 at least
        to_first = -(-self.address[first] // coding.longest)
        inner = np.add.reduceat(within, first)
        alone = inner + np.maximum(to_first, 1)
        return (alone if coding.row_ends == BIT else inner + to_first + 1), alone


@dataclass(frozen=True)
class Lanes:
    """rows[l]: the output channels of lane l, ascending. words: the entries of the longest lane."""

    rows: tuple[tuple[int, ...], ...]
    words: int

    @cached_property
    def longest(self) -> int:
        """Rows of the lane that has most."""
        return max(map(len, self.rows))

    def lane_of(self) -> list[int]:
        """The lane of each output channel."""
        lane = [0] * sum(map(len, self.rows))
        for index, rows in enumerate(self.rows):
            for row in rows:
                lane[row] = index
        return lane


def assign(matrix: NonZeros, lanes: int, coding: Coding) -> Lanes:
    """Channels to lanes: longest processing time first; ties go to the lower lane and channel."""
    inside, alone = (array.tolist() for array in matrix.words(coding))
    load = [(0, lane) for lane in range(lanes)]
    rows: list[list[int]] = [[] for _ in range(lanes)]
    for channel in sorted(range(len(inside)), key=lambda o: (-inside[o], o)):
        words, lane = load[0]
        rows[lane].append(channel)
        heapq.heapreplace(load, (words + inside[channel], lane))
    for lane in rows:
        lane.sort()
    longest = max(words - (inside[rows[lane][0]] - alone[rows[lane][0]] if rows[lane] else 0) for words, lane in load)
    return Lanes(tuple(map(tuple, rows)), longest)


def entries(matrix: NonZeros, lanes: Lanes, coding: Coding) -> Entries:
    """What each lane reads in each cycle: (lanes, words)."""
    result = Entries(*np.zeros((3, len(lanes.rows), lanes.words), np.int64))
    for lane, rows in enumerate(lanes.rows):
        if rows:
            _fill(matrix, np.array(rows), coding, Entries(result.coef[lane], result.where[lane], result.last[lane]))
    return result


def _fill(matrix: NonZeros, rows: np.ndarray, coding: Coding, lane: Entries) -> None:
    """Entries of the output channels of one lane."""
    counts = matrix.start[rows + 1] - matrix.start[rows]
    ends = np.cumsum(counts)
    first = ends - counts
    of = np.arange(ends[-1]) + np.repeat(matrix.start[rows] - first, counts)
    coef, address = matrix.coef[of], matrix.address[of]
    if not coding.step_bits:
        place, where = np.arange(ends[-1]), address
    else:
        steps = np.diff(address, prepend=0)
        steps[first] = address[first]
        before = np.maximum(-(-steps // coding.longest) - 1, 0)  # entries with the longest step
        where = steps - before * coding.longest
        if coding.row_ends == STEP:
            begins = first[1:]
            at_zero = address[begins] == 0
            where[begins[at_zero]] = coding.row_step
            before[begins] += ~at_zero
        place = np.arange(ends[-1]) + np.cumsum(before)
        lane.where[: place[-1]] = coding.longest
        if coding.row_ends == STEP:
            lane.where[(place - before)[begins[~at_zero]]] = coding.row_step
    lane.coef[place], lane.where[place] = coef, where
    if coding.row_ends == BIT:
        lane.last[place[ends - 1]] = 1


def cheapest(options: dict[Coding, tuple[int, float]]) -> tuple[Coding, ...]:
    """Of codings with (words, weight) those worth a choice: the lightest with few more words than need be, the lightest
    with somewhat more, and the one with fewest words."""
    least = min(words for words, _ in options.values())
    chosen = []
    for slack in (FEW_WORDS, MORE_WORDS, 0):
        allowed = [
            (weight, words, coding) for coding, (words, weight) in options.items() if words <= least * (1 + slack)
        ]
        chosen.append(min(allowed, key=lambda option: option[:2])[2])
    return tuple(dict.fromkeys(chosen))


class Programs:
    """The programs of one matrix, by lanes and coding; what was computed is kept."""

    def __init__(self, coefs: np.ndarray) -> None:
        """coefs: int64 (C_out, addresses)."""
        self.depth = coefs.shape[1]
        self.matrix = NonZeros.of(coefs)
        self._lanes: dict[tuple[int, Coding], Lanes] = {}
        self._choice: dict[int, tuple[Coding, ...]] = {}

    def lanes(self, lanes: int, coding: Coding) -> Lanes:
        if (lanes, coding) not in self._lanes:
            self._lanes[lanes, coding] = assign(self.matrix, lanes, coding)
        return self._lanes[lanes, coding]

    def choice(self, lanes: int, weight: Callable[[Lanes, Coding], float]) -> tuple[Coding, ...]:
        """The codings worth a choice, see `cheapest`; weight: of a program, the same function each time."""
        if lanes not in self._choice:
            programs = {coding: self.lanes(lanes, coding) for coding in codings(self.depth)}
            self._choice[lanes] = cheapest({c: (p.words, weight(p, c)) for c, p in programs.items()})
        return self._choice[lanes]

    def entries(self, lanes: Lanes, coding: Coding) -> Entries:
        return entries(self.matrix, lanes, coding)
