"""cocotb bench of one or more designs with valid/ready streams; a JSON file gives the stimulus and the expected output.

PENNI_BENCH names the file; penni_hls/backends/rtl/bench.py writes it and reads the results. Each phase resets the
designs, plays all frames back to back and compares every beat; a phase may insert idle cycles at the inputs and
backpressure at the outputs, and may reset within a frame and start over. Cycles are measured in a phase
without stalls.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import cocotb
import numpy as np
from agents import Sink, Source
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, First, RisingEdge, Timer
from cocotb.utils import get_sim_time

PERIOD = 10  # simulator time steps: any even number
NAP = 100_000  # cycles slept at most before progress is told and the FIFOs within are looked at
TOLD_EVERY = 1.0  # seconds


class Design:
    """One design under test: its sources, its sinks, its results."""

    def __init__(self, dut, spec: dict, folder: Path) -> None:
        self.name, self.frames = spec["name"], spec["frames"]
        self.sources = [Source(dut, port, _words(folder / port["file"])) for port in spec["inputs"]]
        self.sinks = [
            Sink(dut, port, _words(folder / port["file"]), port.get("frames", self.frames)) for port in spec["outputs"]
        ]
        self.agents = self.sources + self.sinks
        self.result: dict = {"name": self.name, "frames": self.frames, "phases": []}

    @property
    def done(self) -> bool:
        return all(agent.done for agent in self.agents)

    def report(self, phase: dict, deadlock: bool) -> None:
        ends = self.sinks[0].frame_ends
        first = self.sources[0].first_cycle
        self.result["phases"].append({
            "name": phase["name"],
            "beats_in": {source.name: source.index for source in self.sources},
            "beats_out": {sink.name: sink.index for sink in self.sinks},
            "mismatch": next((sink.mismatch for sink in self.sinks if sink.mismatch), None),
            "protocol": next((sink.protocol for sink in self.sinks if sink.protocol), None),
            "deadlock": deadlock and not self.done,
            "frame_cycles": [b - a for a, b in zip(ends, ends[1:])],
            "latency": ends[0] - first + 1 if ends and first is not None else None,
        })  # fmt: skip


def _words(path: Path) -> list[int]:
    """(beats, bytes) uint8, lowest byte first -> ints."""
    data = np.load(path)
    width = data.shape[1]
    if width <= 8:
        padded = np.zeros((len(data), 8), np.uint8)
        padded[:, :width] = data
        return padded.view("<u8")[:, 0].tolist()
    raw = data.tobytes()
    return [int.from_bytes(raw[i : i + width], "little") for i in range(0, len(raw), width)]


class Bench:
    def __init__(self, dut, spec: dict, folder: Path) -> None:
        self.spec, self.folder, self.told = spec, folder, 0.0
        self.clock, self.reset = getattr(dut, spec["clock"]), getattr(dut, spec["reset"])
        self.designs = [Design(dut, design, folder) for design in spec["designs"]]
        self.fifos = {name: _find(dut, f"{name}.high_water_q") for name in spec["fifos"]}
        self.waits = [
            [_find(dut, f"{name}.{counter}_cycles_q") for name in spec["operators"]]
            for counter in ("starved", "blocked")
        ]
        self.activity: list = []  # (cycles since the reset, starved by operator, blocked by operator)
        self.taken = [_find(dut, f"{name}.taken_q") for name in spec["fifos"]]

    @property
    def agents(self) -> list:
        return [agent for design in self.designs for agent in design.agents]

    def cycle(self) -> int:
        return int(get_sim_time("step")) // PERIOD

    async def hold_reset(self, cycles: int = 5) -> None:
        for agent in self.agents:
            agent.quiet()
        self.reset.value = 0
        for _ in range(cycles):
            await RisingEdge(self.clock)
        self.reset.value = 1

    async def play(self, phase: dict, until: int | None) -> bool:
        """Run until every design is done, or for `until` cycles; True when nothing moved for too long."""
        for index, agent in enumerate(self.agents):
            share = phase["idle"] if isinstance(agent, Source) else phase["backpressure"]
            agent.start(share, random.Random(f"{phase['seed']}/{index}"))
        may_sleep = not phase["idle"] and not phase["backpressure"]
        patience, start, flow = self.spec["patience"], self.cycle(), None
        self.tell(phase, 0)
        active = self.designs
        moved_at = start
        while active:
            await RisingEdge(self.clock)
            for design in active:
                for agent in design.agents:
                    agent.drive()
            await FallingEdge(self.clock)
            now = self.cycle()
            self.tell(phase, now - start)
            if until is not None and now - start >= until:
                return False
            moved = False
            for design in active:
                for agent in design.agents:
                    moved |= agent.sample(now)
            if any(design.done for design in active):
                active = [design for design in active if not design.done]
            if moved:
                moved_at = now
            elif now - moved_at > patience:
                before, flow = flow, self.flow()
                if flow == before:
                    return True
                moved_at = now
            elif may_sleep and all(agent.resting for design in active for agent in design.agents):
                end = start + until if until is not None else moved_at + patience + 1
                while not await self.sleep(active, min(end, self.cycle() + NAP)):
                    self.tell(phase, self.cycle() - start)
                    if self.cycle() >= end:
                        break
        return False

    def flow(self) -> tuple[int, ...]:
        """How many beats have left each FIFO within the design: what moves while no port does."""
        return tuple(int(handle.value) for handle in self.taken)

    def tell(self, phase: dict, cycles: int) -> None:
        """Write how far the simulation is, about once per second: progress.json, for whoever waits."""
        now = time.monotonic()
        if now - self.told >= TOLD_EVERY:
            self.told = now
            number = self.spec["phases"].index(phase)
            fresh = self.folder / "progress.json.part"
            fresh.write_text(json.dumps({"phase": phase["name"], "number": number, "cycles": cycles}))
            fresh.replace(self.folder / "progress.json")

    async def sleep(self, active: list[Design], end: int) -> bool:
        """Wait for a rising edge on any handle that an agent waits for; False when none came before cycle `end`."""
        handles = [agent.sleeps for design in active for agent in design.agents if agent.sleeps is not None]
        timeout = Timer(max(1, end - self.cycle()) * PERIOD, "step")
        fired = await First(timeout, *(RisingEdge(handle) for handle in handles))
        if fired is timeout:
            return False
        # The edge came right after a rising edge of the clock: sample in that same cycle.
        await FallingEdge(self.clock)
        now = self.cycle()
        for design in active:
            for agent in design.agents:
                agent.sample(now)
        return True

    async def watch(self, window: int) -> None:
        """Look at the operators' counters every `window` cycles."""
        start = self.cycle()
        while True:
            await Timer(window * PERIOD, "step")
            await FallingEdge(self.clock)
            starved, blocked = ([int(handle.value) for handle in handles] for handles in self.waits)
            self.activity.append((self.cycle() - start, starved, blocked))

    async def run(self) -> dict:
        for phase in self.spec["phases"]:
            await self.hold_reset()
            if phase["reset_after"]:
                await self.play(phase, phase["reset_after"])
                await self.hold_reset()
            watching = cocotb.start_soon(self.watch(phase["window"])) if phase["window"] else None
            deadlock = await self.play(phase, None)
            if watching is not None:
                watching.cancel()
            await self._drain()
            for design in self.designs:
                design.report(phase, deadlock)
        return {
            "designs": [design.result for design in self.designs],
            "high_water": {name: int(handle.value) for name, handle in self.fifos.items()},
            "activity": self.activity,
        }

    async def _drain(self) -> None:
        """A few more cycles, with outputs ready: a surplus word would be seen."""
        for _ in range(20):
            await RisingEdge(self.clock)
            for agent in self.agents:
                agent.drive()
            await FallingEdge(self.clock)
            for agent in self.agents:
                agent.sample(self.cycle())


def _find(dut, path: str):
    handle = dut
    for name in path.split("."):
        handle = getattr(handle, name)
    return handle


@cocotb.test()
async def stream_bench(dut) -> None:
    path = Path(os.environ["PENNI_BENCH"])
    spec = json.loads(path.read_text())
    bench = Bench(dut, spec, path.parent)
    bench.clock.value = 0
    Clock(bench.clock, PERIOD, "step").start()
    result = await bench.run()
    (path.parent / "result.json").write_text(json.dumps(result, indent=1))
