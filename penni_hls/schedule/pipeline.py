"""The pipeline over time: a discrete-event model of a folded network, at the grain of the operators' steps.

`events` has the machinery. Registers add their latency to that of the first frame, along the longest path.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..ir.graph import Graph
from ..ir.images import copies
from ..ir.ops.base import Folding, Operator
from ..ir.ops.timing import Stage, Step, Timing
from ..ir.streams import Port
from .events import Channel, Runner, Simulation

WIRE = 2  # beats on their way between two operators that no FIFO joins
FIFO_LATENCY = 2  # cycles
SETTLED = 0.001  # two intervals that differ by less are equal
SAME_LEVEL = 0.02  # beats: two levels that differ by less are equal
IN_FLIGHT = 100  # frames that a network holds where they come no faster than it takes them, at the very most
FRAMES, MOST_FRAMES = 12, 400  # at most, where nothing settles: of any network, and of one with few events
EVENTS = 100_000  # of a run with more frames than FRAMES: a limit that is the same on every machine

End = tuple[str, int]  # (node, number of its input): the edge that ends there


@dataclass(frozen=True)
class Pipeline:
    """What happened to the first frames.

    ends: the cycle in which each image's last value leaves. period: images after which everything repeats, where copies
    of the network take turns. latency: from the first value in to the last one of the first frame out. high_water: the
    most beats that the edge held. registers: cycles by which registers delay what comes along the longest path to the
    other inputs of its node more than what comes along this edge. spans: by node, of its first frame, the cycles in which
    its first value came and its last step ended.
    """

    ends: tuple[float, ...]
    period: int
    latency: int
    high_water: dict[End, int]
    registers: dict[End, int]
    spans: dict[str, tuple[float, float]]

    @property
    def interval(self) -> float:
        """Cycles between two images, as a mean of the last two periods: halves of a memory may take turns."""
        return _interval(self.ends, self.period)

    @property
    def fill(self) -> int:
        """Images before those that come at this interval: those on their way at once, or more where FIFOs that slowly fill
        or run empty set another rate until then."""
        span, wanted = 2 * self.period, self.interval
        first = len(self.ends) - 1 - span
        while (
            first and abs(self.ends[first - 1 + span] - self.ends[first - 1] - span * wanted) <= SETTLED * span * wanted
        ):
            first -= 1
        return max(math.ceil(self.latency / wanted), first)


def simulate(
    graph: Graph[Operator],
    foldings: Mapping[str, Folding],
    depths: Mapping[End, float],
    interval: float = 0,
    *,
    slow: float = math.inf,
    in_turn: bool = False,
) -> Pipeline:
    """Frames through the network until their intervals settle, or are longer than `slow`.

    depths: beats of the FIFO at each edge that has one; may be infinite. interval: cycles in which a frame comes in; as
    fast as it is taken where it needs fewer. in_turn: the C++ instead of the RTL. Raises Deadlock.
    """
    edges: dict[str, list[tuple[End, Channel]]] = {node.name: [] for node in graph}  # by the node that writes them
    runners: list[Runner] = []
    latency: dict[str, int] = {}
    tail: dict[str, int] = {}
    registers: dict[End, int] = {}
    reads: dict[str, list[Channel]] = {}
    for node in graph:
        for port, name in enumerate(node.inputs):
            end = (node.name, port)
            channel = Channel(depths[end] + 1 if end in depths else WIRE)
            edges[name].append((end, channel))
            reads.setdefault(node.name, []).append(channel)
    sinks: list[Runner] = []
    for node in graph:
        folding = foldings[node.name]
        timing = node.op.in_turn(folding) if in_turn and node.op.hardware else node.op.timing(folding)
        if not node.inputs:
            timing = _paced(timing, interval)
        names = {port.name: channel for port, channel in zip(node.op.inputs(folding), reads.get(node.name, []))}
        names |= {port.name: channel for port, (_, channel) in zip(node.op.outputs(folding), edges[node.name])}
        if node is graph.output:
            results = {port.name: Channel(WIRE) for port in node.op.outputs(folding)}
            sinks = [_sink(port, results[port.name]) for port in node.op.outputs(folding)]
            names |= results
        names |= {name: Channel(math.inf, count) for name, count in timing.tokens.items()}
        runners += [Runner(node.name, stage, names) for stage in timing.stages]
        waits = [latency[name] + FIFO_LATENCY * ((node.name, port) in depths) for port, name in enumerate(node.inputs)]
        registers |= {(node.name, port): max(waits) - wait for port, wait in enumerate(waits)}
        latency[node.name] = max(waits, default=0) + timing.latency
        tail[node.name] = max((tail[name] for name in node.inputs), default=0) + timing.tail
    last, period = sinks[-1], copies(graph)
    endless = all(map(math.isinf, depths.values()))  # then nothing waits because a FIFO has filled
    channels = [channel for group in edges.values() for _, channel in group]
    levels: list[list[float]] = []
    running = Simulation([*runners, *sinks])
    for _ in running.frames(last, IN_FLIGHT if interval else math.inf):
        frames = len(last.ends)
        if frames == MOST_FRAMES * period or (frames >= FRAMES * period and running.events > EVENTS):
            break
        levels.append([channel.at(running.now) for channel in channels])
        if _settled(last.ends, period) and (endless or _steady(levels, channels, period)):
            break
        if frames > 2 * period and _interval(last.ends, period) > slow:
            break
    return Pipeline(
        tuple(last.ends),
        period,
        math.ceil(last.ends[0]) + latency[graph.output.name] + tail[graph.output.name],
        {end: math.ceil(channel.high) for group in edges.values() for end, channel in group},
        registers,
        _spans(graph, runners, reads),
    )


def _spans(
    graph: Graph[Operator], runners: Sequence[Runner], reads: Mapping[str, Sequence[Channel]]
) -> dict[str, tuple[float, float]]:
    """reads: the channels of each node's inputs. A step may give a beat a little before what it is made of has come; no
    stage begins before the operator that it reads."""
    begins: dict[str, float] = {}
    for node in graph:
        sources = {id(channel): begins[name] for channel, name in zip(reads.get(node.name, ()), node.inputs)}
        came = []
        for runner in runners:
            if runner.node == node.name and runner.starts:
                read = {id(channel) for _, _, takes, *_ in runner.runs for channel, _ in takes} & sources.keys()
                if read or not sources:
                    came.append(max([runner.starts[0], min((sources[channel] for channel in read), default=0.0)]))
        begins[node.name] = min(came)
    ends = {name: max(r.ends[0] for r in runners if r.node == name and r.ends) for name in begins}
    return {name: (begins[name], ends[name]) for name in begins}


def _sink(port: Port, channel: Channel) -> Runner:
    """What reads the network's result: as fast as it comes."""
    beats = port.stream.beats_per_frame
    return Runner("output", Stage("output", ((1, Step(beats, takes=(("in", beats),))),)), {"in": channel})


def _paced(timing: Timing, interval: float) -> Timing:
    """The input, a frame of which takes so many cycles or more."""
    ((times, step),) = timing.stages[0].runs
    return replace(timing, stages=(Stage("input", ((times, replace(step, cycles=max(step.cycles, interval))),)),))


def _steady(levels: Sequence[Sequence[float]], channels: Sequence[Channel], period: int) -> bool:
    """No channel holds less than one or two periods before (halves of a memory may take turns), and none more but those
    without end: what slowly fills or runs empty may set another rate later. levels: of each frame, by channel."""
    now = levels[-1]
    return any(
        all(
            abs(level - old) <= SAME_LEVEL or (level > old and math.isinf(channel.capacity))
            for level, old, channel in zip(now, before, channels)
        )
        for before in (levels[-1 - period], levels[-1 - 2 * period])
    )


def _interval(ends: Sequence[float], period: int) -> float:
    return (ends[-1] - ends[-1 - 2 * period]) / (2 * period)


def _settled(ends: Sequence[float], period: int) -> bool:
    """The last two periods are equal, or the last two pairs of periods: halves of a memory may take turns."""

    def equal(frames: int) -> bool:
        if len(ends) <= 2 * frames + 1:
            return False
        before, now = ends[-1 - frames] - ends[-1 - 2 * frames], ends[-1] - ends[-1 - frames]
        return abs(now - before) <= SETTLED * now

    return equal(period) or equal(2 * period)
