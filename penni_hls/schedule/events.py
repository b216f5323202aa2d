"""Stages that move beats at an even pace between events: ends of steps, channels that become full or empty, tokens.

A stage moves at the pace of its step, or less where an input is empty or an output is full: then it keeps pace with its
neighbour.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping

from ..ir.ops.timing import Stage

NOTHING = 1e-6  # beats: less is an empty channel
DROP = 1e-3  # beats: what rounding may lose in a step
CRAWL = 1e-6  # of a stage's own pace: stages that wait for each other slow down without end, and stand still


POST, WAKE = -1, -2  # what events do, in place of a version


class Deadlock(Exception):
    """No stage can move: which ones wait."""


class Channel:
    """Beats or tokens between two stages, the writer and the reader."""

    __slots__ = ("capacity", "level", "inflow", "outflow", "since", "high", "writer", "reader", "version")

    def __init__(self, capacity: float, level: float = 0.0) -> None:
        self.capacity, self.level, self.high = capacity, level, level
        self.inflow = self.outflow = self.since = 0.0
        self.writer: Runner | None = None
        self.reader: Runner | None = None
        self.version = 0

    def at(self, now: float) -> float:
        """The level."""
        return self.level + (self.inflow - self.outflow) * (now - self.since)

    def settle(self, now: float) -> None:
        """Bring the level up to date."""
        level = self.level + (self.inflow - self.outflow) * (now - self.since)
        self.since = now
        if level < NOTHING:
            level = 0.0
        elif level > self.capacity - NOTHING:
            level = self.capacity
        self.level = level
        if level > self.high:
            self.high = level


Moved = tuple[tuple[Channel, float], ...]


class Runner:
    """A stage at work, frame after frame."""

    __slots__ = ("node", "runs", "run", "times", "takes", "gives", "needs", "posts", "cycles", "beats", "done", "pace", "since",
                 "version", "waiting", "ends", "starts")  # fmt: skip

    def __init__(self, node: str, stage: Stage, channels: Mapping[str, Channel]) -> None:
        def moved(pairs: tuple[tuple[str, int], ...]) -> Moved:
            return tuple((channels[name], float(count)) for name, count in pairs if count)

        self.node = node
        self.runs = [
            (times, step.cycles, moved(step.takes), moved(step.gives), moved(step.needs),
             tuple((channels[name], count, delay) for name, count, delay in step.posts),
             float(max((beats for _, beats in (*step.takes, *step.gives)), default=0)) or math.inf)
            for times, step in stage.runs if times
        ]  # fmt: skip
        for _, _, takes, gives, needs, posts, _ in self.runs:
            for channel, *_ in (*takes, *needs):
                channel.reader = self
            for channel, *_ in (*gives, *posts):
                channel.writer = self
        self.run = self.times = 0
        self.takes: Moved = ()
        self.gives: Moved = ()
        self.needs, self.posts = self.runs[0][4], ()
        self.cycles, self.beats = 1, 0.0
        self.done = self.pace = self.since = 0.0
        self.version, self.waiting = 0, True
        self.starts: list[float] = []
        self.ends: list[float] = []


class Simulation:
    def __init__(self, runners: list[Runner]) -> None:
        self.now = 0.0
        self.runners = runners
        self.heap: list[tuple[float, int, int, object, float]] = []
        self.count = self.events = 0
        self.dirty: list[Runner] = []
        for runner in runners:
            self._begin(runner)
        while self.dirty:
            self._adjust(self.dirty.pop())

    def frames(self, last: Runner, ahead: float) -> Iterator[None]:
        """Yields whenever `last` has ended a frame; raises Deadlock, also where the first stage is more than `ahead`
        frames before it."""
        heap, dirty, done = self.heap, self.dirty, 0
        pop, ends, begun = heapq.heappop, last.ends, self.runners[0].ends
        while heap:
            now, _, version, what, amount = pop(heap)
            self.events += 1
            if version >= 0 and version != what.version:
                continue  # what was to happen has been put off
            self.now = now
            if version == POST:
                self._post(what, amount)
            elif version == WAKE:
                dirty.append(what)
            elif type(what) is Runner:
                self._end(what)
            else:
                what.settle(now)
                other = what.reader if what.level == 0 else what.writer
                if not other.waiting:
                    dirty.append(other)
            while dirty:
                self._adjust(dirty.pop())
            if len(ends) > done:
                done = len(ends)
                yield
            elif len(begun) > done + ahead:
                break
        waiting = sorted({runner.node for runner in self.runners if runner.waiting or not runner.pace})
        raise Deadlock(f"no stage can move: {', '.join(waiting)} wait")

    def _push(self, when: float, version: int, what: object, amount: float = 0.0) -> None:
        self.count += 1
        heapq.heappush(self.heap, (when, self.count, version, what, amount))

    def _post(self, channel: Channel, count: float) -> None:
        channel.settle(self.now)
        channel.level += count
        reader = channel.reader
        if reader is None:
            return
        if reader.waiting:
            self._begin(reader)
        elif channel.level == count:
            self.dirty.append(reader)

    def _begin(self, runner: Runner) -> None:
        """Start the next step if its tokens are there."""
        for channel, count in runner.needs:
            if channel.since != self.now:
                channel.settle(self.now)
            if channel.level < count - NOTHING:
                return
        for channel, count in runner.needs:
            channel.level -= count
        _, runner.cycles, runner.takes, runner.gives, _, runner.posts, runner.beats = runner.runs[runner.run]
        runner.waiting, runner.done, runner.pace, runner.since = False, 0.0, 0.0, self.now
        self.dirty.append(runner)

    def _end(self, runner: Runner) -> None:
        posts, takes, gives = runner.posts, runner.takes, runner.gives
        runner.times += 1
        if runner.times == runner.runs[runner.run][0]:
            runner.times, runner.run = 0, runner.run + 1
            if runner.run == len(runner.runs):
                runner.run = 0
                runner.ends.append(self.now)
        runner.needs = runner.runs[runner.run][4]
        runner.waiting, runner.pace, runner.takes, runner.gives = True, 0.0, (), ()
        runner.version += 1
        for channel, count, delay in posts:
            if delay:
                self._push(self.now + delay, POST, channel, count)
            else:
                self._post(channel, count)
        if runner.waiting:
            self._begin(runner)
        if runner.waiting:
            self._stop(takes, gives)
        elif takes is not runner.takes or gives is not runner.gives:  # not the same step again
            going = {id(channel) for channel, _ in (*runner.takes, *runner.gives)}
            self._stop([pair for pair in takes if id(pair[0]) not in going],
                       [pair for pair in gives if id(pair[0]) not in going])  # fmt: skip

    def _stop(self, takes, gives) -> None:
        for channel, _ in takes:
            if channel.outflow:
                self._flow(channel, channel.inflow, 0.0)
        for channel, _ in gives:
            if channel.inflow:
                self._flow(channel, 0.0, channel.outflow)

    def _adjust(self, runner: Runner) -> None:
        """The pace of a stage, from what its inputs and outputs allow."""
        if runner.waiting:
            return
        now, pace = self.now, 1.0 / runner.cycles
        for channel, beats in runner.takes:
            if channel.since != now:
                channel.settle(now)
            if channel.level == 0.0 and channel.inflow < pace * beats:
                pace = channel.inflow / beats
        for channel, beats in runner.gives:
            if channel.since != now:
                channel.settle(now)
            if channel.level == channel.capacity and channel.outflow < pace * beats:
                pace = channel.outflow / beats
        if 0.0 < pace * runner.cycles < CRAWL:  # it looks again when a beat has come, or has found room
            self._push(now + 1.0 / (pace * runner.beats), WAKE, runner)
            pace = 0.0
        if pace != runner.pace:
            runner.done += runner.pace * (now - runner.since)
            if pace > 0.0 and len(runner.starts) == len(runner.ends) and (runner.takes or runner.gives):
                runner.starts.append(now)
            runner.since, runner.pace = now, pace
            runner.version += 1
            left = max(0.0, 1.0 - runner.done)
            if left * runner.beats < DROP:  # lost in rounding: does not come
                self._push(now, runner.version, runner)
            elif pace > 0.0:
                self._push(now + left / pace, runner.version, runner)
        for channel, beats in runner.takes:
            if pace * beats != channel.outflow:
                self._flow(channel, channel.inflow, pace * beats)
        for channel, beats in runner.gives:
            if pace * beats != channel.inflow:
                self._flow(channel, pace * beats, channel.outflow)

    def _flow(self, channel: Channel, inflow: float, outflow: float) -> None:
        """Change what flows in and out of a channel, and tell the stage at its other end where that depends on it."""
        faster_in, faster_out = inflow != channel.inflow, outflow != channel.outflow
        if channel.since != self.now:
            channel.settle(self.now)
        channel.inflow, channel.outflow = inflow, outflow
        channel.version += 1
        level, rising = channel.level, inflow - outflow
        if rising < 0.0 and level > 0.0:
            self._push(self.now - level / rising, channel.version, channel)
        elif rising > 0.0 and level < channel.capacity < math.inf:
            self._push(self.now + (channel.capacity - level) / rising, channel.version, channel)
        if faster_in and level == 0.0 and channel.reader and not channel.reader.waiting:
            self.dirty.append(channel.reader)
        if faster_out and level == channel.capacity and channel.writer and not channel.writer.waiting:
            self.dirty.append(channel.writer)
