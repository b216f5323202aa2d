"""The timing of hw/rtl/penni_columns.sv: a writer fills a row buffer, a walker reads its windows group by group."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ..windows import Window
from .timing import Stage, Step, Timing

GROUP_OVERHEAD = 1  # cycles before a group's first column
ARRIVAL, RELEASE = 2, 1  # cycles until a group knows of a pixel, and until a freed one can be overwritten
GRAIN = 128  # parts of a frame that are steps of their own


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

    def needed(self, group: int) -> int:
        """Pixels of the map, in stream order, up to the last one that a group reads; of the last group all: it frees them."""
        h, w, _ = self.x
        return h * w if (group + 1) * self.q >= math.prod(self.out) else self._end(group)

    def freed(self, row: int, end: int) -> int:
        """Pixels of the map, in stream order, that are no longer needed behind the windows before `end`: whole rows, and the
        first columns of the row that the windows begin with."""
        (h, w, _), (rows, width) = self.x, self.out
        down, right = self.window.stride
        if end == width:
            return h * w if row == rows - 1 else min(max((row + 1) * down - self._top, 0), h) * w
        gone = row * down - self._top
        return 0 if gone < 0 else gone * w + min(max(end * right - self._left, 0), w)

    @property
    def _top(self) -> int:
        """Rows above the map."""
        return self.window.pads[0]

    @property
    def _left(self) -> int:
        """Columns left of the map."""
        return self.window.pads[1]

    def timing(self, latency: int, tail: int = 0) -> Timing:
        h, w, c = self.x
        pixels, groups = h * w, -(-math.prod(self.out) // self.q)
        chunk, together = -(-pixels // GRAIN), -(-groups // GRAIN)
        write = [(pixels // chunk, self._written(chunk)), (int(pixels % chunk > 0), self._written(pixels % chunk))]
        walk: list[Step] = []
        there = gone = 0
        for first in range(0, groups, together):
            parts = [part for group in range(first, min(first + together, groups)) for part in self._parts(group)]
            segments = self.segments(first)
            slack = self._slack(self._walked(segments)) if self.units > 1 or len(segments) == 1 else 0
            early = slack * self.words // (self.units * self.slots)
            # While the group waits for pixels it starts, and its first unit waits for words to leave.
            walk.append(Step(GROUP_OVERHEAD + slack, gives=(("out", early),)))
            needed = max(there, self.needed(min(first + together, groups) - 1))
            needs, there = (("pixel", needed - there),), needed
            if together > 1:
                parts = [tuple(map(sum, zip(*parts)))[:2] + (parts[-1][2],)]
            for index, (cycles, words, freed) in enumerate(parts):
                if index == 0:
                    cycles, words = cycles - slack + GROUP_OVERHEAD * (together - 1), words - early
                walk.append(Step(cycles, (), (("out", words),), needs if index == 0 else (), self._freed(freed - gone)))
                gone = max(gone, freed)
        stages = (Stage("write", tuple(write)), Stage("walk", tuple((1, step) for step in walk)))
        # A group's words leave from the end of its first unit on.
        burst = (self.units - 1) * sum(self.columns(self.segments(0))) + self.words / self.units
        return Timing(stages, {"room": self.rows * w, "pixel": 0}, latency, {"out": burst / self.words}, tail)

    def _written(self, pixels: int) -> Step:
        values = pixels * self.x[2]
        return Step(values, (("in", values),), needs=(("room", pixels),), posts=(("pixel", pixels, ARRIVAL),))

    @staticmethod
    def _freed(pixels: int) -> tuple[tuple[str, int, int], ...]:
        return (("room", pixels, RELEASE),) if pixels > 0 else ()

    def walked(self, tail: int) -> int:
        """Steps of the C++'s loop over a frame where it waits for nothing: those of `timing`, and `tail` for the words of
        the last unit."""
        groups = -(-math.prod(self.out) // self.q)
        columns = sum(sum(self.columns(self.segments(group))) for group in range(groups))
        return groups * GROUP_OVERHEAD + self.units * columns + tail

    def _end(self, group: int) -> int:
        """Pixels up to the last one that a group reads."""
        (h, w, _), width = self.x, self.out[1]
        (kh, kw), (down, right) = self.window.kernel, self.window.stride
        segments = self.segments(group)
        row = group * self.q // width + len(segments) - 1
        end = (group * self.q + sum(segments) - 1) % width + 1
        lowest = row * down - self._top + kh
        if end == width or (len(segments) > 1 and lowest >= h):
            return min(lowest, h) * w
        return (min(lowest, h) - 1) * w + min((end - 1) * right - self._left + kw, w)

    def _parts(self, group: int) -> Iterator[tuple[int, int, int]]:
        """(cycles, words, pixels freed in all) of a group without its start. The last unit frees row by row; where a short
        group repeats its last window, that is behind what the window freed."""
        width = self.out[1]
        segments = self.segments(group)
        row, column = divmod(group * self.q, width)
        columns, held = self.columns(segments), self.q - sum(segments)
        ends = [width] * (len(segments) - 1) + [(column + sum(segments) - 1) % width + 1]
        last = [*columns[:-1], columns[-1] - held]
        if len(segments) == 1:
            last[0] += (self.units - 1) * columns[0]
        elif self.units > 1:
            last.insert(0, (self.units - 1) * sum(columns))
        walked = given = freed = 0
        for index, cycles in enumerate(last):
            walked += cycles
            words = self.words * walked // (self.units * sum(columns)) - given
            given += words
            at = index - (len(last) - len(segments))
            freed = self.freed(row + at, ends[at]) if at >= 0 else 0
            yield cycles, words, freed
        if held:
            yield held, self.words - given, freed
