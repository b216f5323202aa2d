"""When an operator takes and gives beats: stages that work at the same time, each a sequence of steps.

A step waits for tokens, then moves beats in and out at an even pace, then posts tokens. What two stages of an operator
hand over (a row of a row buffer, a half of a ping-pong memory) and the room for it are tokens. No step depends on data,
so whether a network of such stages can deadlock depends on its FIFOs alone, not on data or on who is slow.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

STEPS = 256  # groups or pixels of a frame that are steps of their own; of more, several are one step

ROUNDING = 1e-6  # cycles that floats may be off

Moved = tuple[tuple[str, int], ...]  # (a port or kind of token, how many)


@dataclass(frozen=True)
class Step:
    """takes, gives: beats of ports (or tokens) that cross evenly in `cycles` or more. needs: tokens taken before it
    starts. posts: (kind of token, how many, cycles after its end)."""

    cycles: int
    takes: Moved = ()
    gives: Moved = ()
    needs: Moved = ()
    posts: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True)
class Stage:
    """The steps of one frame: (how many times, step)."""

    name: str
    runs: tuple[tuple[int, Step], ...]

    def cycles(self, feed: Mapping[str, float]) -> float:
        """Of one frame, where nothing is waited for but beats that come no faster than `feed` says (see Timing)."""
        return sum(
            times * max(step.cycles, *(beats * feed.get(name, 0) for name, beats in step.takes), 0)
            for times, step in self.runs
        )

    def handed(self, other: Stage) -> Iterator[tuple[str, int]]:
        """The kinds of token that `other` waits for and this stage posts, each with the cycles that this delays a frame."""
        wanted = {name for _, step in other.runs for name, _ in (*step.needs, *step.takes)}
        late: dict[str, int] = {}
        for times, step in self.runs:
            for name, _, delay in (*step.posts, *((name, beats, 0) for name, beats in step.gives)):
                late[name] = late.get(name, 0) + times * delay
        return ((name, delay) for name, delay in late.items() if name in wanted)


@dataclass(frozen=True)
class Timing:
    """tokens: those that are there at the start, by kind. latency: cycles from a beat of the first input to the output
    that it completes, in registers. paces: of outputs whose beats come in bursts: cycles between two beats of a burst.
    tail: cycles by which the last beat of a frame leaves later than at an even pace."""

    stages: tuple[Stage, ...]
    tokens: dict[str, int] = field(default_factory=dict)
    latency: int = 0
    paces: dict[str, float] = field(default_factory=dict)
    tail: int = 0

    def cycles(self, feed: Mapping[str, float] = {}) -> int:
        """Between two frames, at least. feed: cycles between the beats of an input, by its port, where others give them.

        Those of the slowest stage; or of two stages that hand k buffers back and forth: each buffer is with one of them
        at a time, so that both together take k times as long as a frame. With two buffers (ping-pong) that is no more
        than the slower of the two, with one buffer it is their sum.
        """
        return math.ceil(max(cycles for _, cycles in self._needed(feed)) - ROUNDING)

    def pace(self, port: str) -> float:
        """Cycles between the beats that an output gives while it gives them, at least."""
        if port in self.paces:
            return self.paces[port]
        given = [
            (times * step.cycles, times * dict(step.gives).get(port, 0))
            for stage in self.stages
            for times, step in stage.runs
            if dict(step.gives).get(port)
        ]
        return sum(cycles for cycles, _ in given) / sum(beats for _, beats in given)

    def slowest(self, feed: Mapping[str, float] = {}) -> str:
        """The stage, or the two of them, that the cycles are those of."""
        return max(self._needed(feed), key=lambda pair: pair[1])[0]

    def _needed(self, feed: Mapping[str, float]) -> Iterator[tuple[str, float]]:
        alone = {stage.name: stage.cycles(feed) for stage in self.stages}
        yield from alone.items()
        for a, b, late, buffers in self._shared:
            yield f"{a} + {b}", (alone[a] + alone[b] + late) / buffers

    @cached_property
    def _shared(self) -> tuple[tuple[str, str, int, int], ...]:
        """(stage, stage, cycles that handing over delays a frame, buffers that they hand back and forth)."""
        return tuple(
            (a.name, b.name, late + later, buffers)
            for a, b in itertools.combinations(self.stages, 2)
            for there, late in a.handed(b)
            for back, later in b.handed(a)
            if (buffers := self.tokens.get(there, 0) + self.tokens.get(back, 0))
        )
