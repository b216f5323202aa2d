"""How long the loops of the C++ take where Vitis HLS pipelines them, as its reports count.

A loop of n iterations that begins one each `ii` cycles takes ii*(n - 1) + depth cycles (`Latency` in csynth.xml), and its
module ENTERED more. `depth`, the cycles of one iteration (`PipelineDepth`), is an estimate for a clock of 8 ns: a report
has the true one, and a cycle more or less moves each group by a cycle.
"""

from __future__ import annotations

from dataclasses import replace

from .timing import Step, Timing

ENTERED = 2  # cycles to enter a loop and to leave it
HANDED = 1  # cycles until a block that one process gives back is seen by the other
STREAM_DEPTH, LOAD_DEPTH, WALK_DEPTH, DRAIN_DEPTH = 4, 3, 8, 11


def loop(iterations: int, depth: int, ii: int = 1) -> int:
    """Cycles from one run of a loop to the next."""
    return ii * (iterations - 1) + depth + ENTERED


def called(timing: Timing, depth: int = STREAM_DEPTH) -> Timing:
    """What `timing` says, with the cycles in which a process runs empty at the end of a frame and begins again."""
    again = (1, Step(loop(1, depth)))
    return replace(timing, stages=tuple(replace(stage, runs=(*stage.runs, again)) for stage in timing.stages))
