"""The timing of hw/rtl/penni_columns.sv: a writer fills a row buffer, a walker reads its windows group by group."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ..windows import Window
from .timing import Stage, Step, Timing

GROUP_OVERHEAD = 1  # cycles before a group's first column


@dataclass(frozen=True)
class RowWalk:
    """x: shape of the map read. out: rows and columns of windows. rows: of the buffer. q: windows of a group. units: how
    often a group's windows are walked (once per channel). words: given per group. slots: cycles of a unit, at least.
    again: each window begins with its first column, also where the one before had that column, too."""

    x: tuple[int, int, int]
    out: tuple[int, int]
    window: Window
    rows: int
    q: int
    units: int
    words: int
    slots: int = 1
    again: bool = False

    def segments(self, group: int) -> tuple[int, ...]:
        """How many of a group's windows lie in each row of windows that it touches."""
        rows, width = self.out
        start, end = group * self.q, min((group + 1) * self.q, rows * width)
        edges = [start, *range((start // width + 1) * width, end, width), end]
        return tuple(b - a for a, b in zip(edges, edges[1:]))

    def columns(self, segments: tuple[int, ...]) -> list[int]:
        """Cycles of one unit of a group, by segment: those walked, and the last window waits for the words to leave."""
        walked = self._walked(segments)
        return [*walked[:-1], walked[-1] + self._slack(walked)]

    def _walked(self, segments: tuple[int, ...]) -> list[int]:
        """The kernel's columns bring a row's first window, `stride` each further one; a short group repeats its last
        window up to q."""
        kernel, stride = self.window.kernel[1], self.window.stride[1]
        walked = [n * kernel if self.again else n * stride + kernel - stride for n in segments]
        return [*walked[:-1], walked[-1] + self.q - sum(segments)]

    def _slack(self, walked: list[int]) -> int:
        return max(0, self.slots - sum(walked))

    @property
    def span(self) -> int:
        """The most rows of windows that a group touches. Groups start at the same places after `width` of them."""
        rows, width = self.out
        groups = min(width, -(-rows * width // self.q))
        return max(len(self.segments(group)) for group in range(groups))

    def needed(self, row: int) -> int:
        """Rows of the map that must be there for a row of windows: for the last one all, since it frees them."""
        h, stride = self.x[0], self.window.stride[0]
        return h if row == self.out[0] - 1 else min(max(row * stride - self._top + self.window.kernel[0], 0), h)

    def freed(self, row: int) -> int:
        """Rows of the map that are no longer needed behind a row of windows."""
        h, stride = self.x[0], self.window.stride[0]
        return h if row == self.out[0] - 1 else min(max((row + 1) * stride - self._top, 0), h)

    @property
    def _top(self) -> int:
        """Rows above the map."""
        return self.window.pads[0]

    def runs(self) -> Iterator[tuple[int, int]]:
        """Groups between which no row of windows begins or ends: the first, and one behind the last."""
        rows, width = self.out
        cuts = {row * width // self.q for row in range(rows)}
        cuts |= {((row + 1) * width - 1) // self.q + 1 for row in range(rows)}
        ordered = sorted(cuts)
        return zip(ordered, ordered[1:])

    def timing(self, latency: int) -> Timing:
        h, w, c = self.x
        write = Step(w * c, (("in", w * c),), needs=(("room", 1),), posts=(("row", 1, 0),))
        walk, there, gone = [], 0, 0
        for first, end in self.runs():
            # The first unit waits for words to leave while it waits for rows.
            segments, parts = self.segments(first), list(self._parts(first, end))
            slack = self._slack(self._walked(segments))
            early = min(slack * self.words // (self.units * self.slots), parts[len(segments) - 1][1])
            walk.append((1, Step(GROUP_OVERHEAD + slack, gives=(("out", early),))))
            for index, (cycles, words, needed, freed) in enumerate(parts):
                if index == len(segments) - 1:  # the end of the first unit
                    cycles, words = cycles - slack, words - early
                needed, freed = max(needed, there), max(freed, gone)
                held = self.q - sum(self.segments(end - 1)) if index == len(parts) - 1 else 0
                needs, posts = (("row", needed - there),), (("room", freed - gone, 0),)
                walk.append((1, Step(cycles - held, gives=(("out", words),), needs=needs, posts=posts)))
                if held:  # rows are free when the last window has been read; a short group repeats it
                    walk.append((1, Step(held)))
                there, gone = needed, freed
        return Timing(
            (Stage("write", ((h, write),)), Stage("walk", tuple(walk))), {"room": self.rows, "row": 0}, latency
        )

    def in_turn(self, latency: int) -> Timing:
        """Of the C++: a loop whose steps walk and, as long as there is room, read a value each. The words of a unit
        leave one by one in the `slots` steps behind it."""
        row, values = self.x[1] * self.x[2], math.prod(self.x)
        steps: list[Step] = []
        written = gone = leaving = 0
        late = self.words // self.units

        def add(cycles: int, room: int, words: int) -> None:
            nonlocal written
            read = min(room, cycles)
            early = words * read // cycles if cycles else 0
            parts = ((read, read, early), (cycles - read, 0, words - early))
            steps.extend(Step(n, (("in", taken),), (("out", given),)) for n, taken, given in parts if n)
            written += read

        for first, end in self.runs():
            parts = list(self._parts(first, end))
            cycles, words = (sum(part[index] for part in parts) for index in (0, 1))
            limit = min(values, (gone + self.rows) * row)
            missing = max(0, max(part[2] for part in parts) * row - written)
            meanwhile = min(missing, leaving)
            early = late * meanwhile // self.slots
            add(meanwhile, meanwhile, early)
            add(missing - meanwhile, missing - meanwhile, 0)
            leaving -= meanwhile
            add(leaving, limit - written, late - early)
            add(cycles - leaving, limit - written, words - late)
            leaving = self.slots
            gone = max(gone, *(part[3] for part in parts))
        add(leaving, values - written, late)
        add(values - written, values - written, 0)
        return Timing((Stage("steps", tuple((1, step) for step in steps)),), latency=latency)

    def _parts(self, first: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Groups from `first` up to `end` in parts: (cycles, words, rows needed in all, rows freed in all)."""
        rows, width = self.out
        row, pixels = first * self.q // width, min(end * self.q, rows * width)
        segments = self.segments(first)
        if len(segments) == 1:
            cycles = (end - first - 1) * (self.units * sum(self.columns(segments)) + GROUP_OVERHEAD)
            cycles += self.units * sum(self.columns(self.segments(end - 1)))
            complete = pixels == (row + 1) * width
            yield cycles, (end - first) * self.words, self.needed(row), self.freed(row) if complete else 0
            return
        # A group of several rows waits for each of them in its first unit and frees them in its last.
        columns = self.columns(segments)
        walked = given = 0
        for unit, times in ((0, 1), (1, self.units - 2), (self.units - 1, 1))[: None if self.units > 1 else 1]:
            for index, cycles in enumerate(columns if times else ()):
                walked += cycles * times
                words = self.words * walked // (self.units * sum(columns)) - given
                needed = self.needed(row + index) if unit == 0 else 0
                complete = unit == self.units - 1 and (row + index + 1) * width <= pixels
                freed = self.freed(row + index) if complete else 0
                yield cycles * times, words, needed, freed
                given += words
