"""The driver's own code on the RTL of an accelerator: what a processor does is Python in a thread of its own.

Its registers are the accelerator's AXI4-Lite port, driven by cocotbext-axi, and those of a modelled DMA engine
(axi_dma.py), which feeds and drains the two AXI4-Streams. Time is the simulator's. PENNI_SYSTEM names a JSON file: the
folder of the driver, a scenario of `SCENARIOS` and its arguments; what it finds goes to result.json beside that file.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import axi_dma
import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles, FallingEdge, First, RisingEdge, Timer
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamSink, AxiStreamSource

PERIOD = 10  # simulator time steps: any even number
ACCESS = 25  # cycles of an access to the DMA engine's registers, and before one to the accelerator's
BEGIN, END = 40, 30  # cycles of the DMA engine from a command to its first beat, and from its last beat to the end
RESETS = 3  # reads of its control register in which it is still reset


def cycle() -> int:
    return int(get_sim_time("step")) // PERIOD


class Source(AxiStreamSource):
    """That of cocotbext-axi; while a beat is not taken it sleeps, which makes long stalls ten times as fast to simulate.
    After `stop_after` more beats it offers none."""

    stop_after: int | None = None

    async def _run(self) -> None:
        clock, ready = RisingEdge(self.clock), RisingEdge(self.bus.tready)
        lanes = self.byte_lanes
        while True:
            frame = await self.queue.get()
            self.current_frame, self.active = frame, True
            data = bytes(frame.tdata)
            for start in range(0, len(data), lanes):
                part = data[start : start + lanes]
                while self.stop_after == 0:
                    self.bus.tvalid.value = 0
                    await clock
                if self.stop_after is not None:
                    self.stop_after -= 1
                self.bus.tdata.value = int.from_bytes(part, "little")
                self.bus.tkeep.value = (1 << len(part)) - 1
                self.bus.tlast.value = int(start + lanes >= len(data))
                self.bus.tvalid.value = 1
                await clock
                while not self.bus.tready.value:
                    await ready  # it rises right after an edge; the next edge takes the beat
                    await clock
            self.bus.tvalid.value = 0
            self.current_frame, self.active = None, False
            frame.handle_tx_complete()


class Dma:
    """Moves what the registers command. A packet's length and end are as PG021 says: a receive ends with TLAST."""

    def __init__(self, dut) -> None:
        self.clock = dut.ap_clk
        self.source = Source(AxiStreamBus.from_prefix(dut, "s_axis"), dut.ap_clk)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.ap_clk)
        self.sink.pause = True
        self.registers = axi_dma.AxiDma(self._begin, self._stop, RESETS)
        self.memory = axi_dma.Memory(self.registers)
        self.tasks: dict[str, cocotb.task.Task] = {}
        self.ends: list[int] = []  # cycles at which packets of results were complete
        self.error: dict[str, int] = {}  # of a direction's next transfer: bits of its status, half way
        self.stop_receive = False

    def _begin(self, name: str, address: int, nbytes: int) -> None:
        memory = self.memory.find(address, nbytes)
        if memory is None:
            self.registers.fail(name, axi_dma.DECODE_ERROR)
            return
        move = self._send if name == axi_dma.SEND else self._receive
        self.tasks[name] = cocotb.start_soon(move(memory))

    async def _send(self, memory: memoryview) -> None:
        await ClockCycles(self.clock, BEGIN)
        failing = self.error.pop(axi_dma.SEND, 0)
        data = bytes(memory[: len(memory) // 2] if failing else memory)
        done = cocotb.triggers.Event()
        await self.source.send(_frame(data, done))
        await done.wait()
        await ClockCycles(self.clock, END)
        if failing:
            self.registers.fail(axi_dma.SEND, failing)
        else:
            self.registers.finish(axi_dma.SEND, len(data))

    async def _receive(self, memory: memoryview) -> None:
        await ClockCycles(self.clock, BEGIN)
        self.sink.pause = self.stop_receive
        frame = await self.sink.recv()
        self.ends.append(cycle())
        self.sink.pause = True
        data = bytes(frame.tdata)
        assert len(data) <= len(memory), f"a packet of {len(data)} bytes for a buffer of {len(memory)}"
        memory[: len(data)] = data
        await ClockCycles(self.clock, END)
        self.registers.finish(axi_dma.RECEIVE, len(data))

    def _stop(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        self.tasks.clear()
        self.sink.pause = True
        for stream in (self.source, self.sink):
            stream.clear()
            stream.assert_reset()


def _frame(data: bytes, done):
    from cocotbext.axi import AxiStreamFrame

    return AxiStreamFrame(data, tx_complete=done)


class SimBoard:
    """A board for the driver. interrupt_at: register access at which Ctrl-C comes, counted from now; None: none."""

    def __init__(self, dut, dma: Dma, clock_hz: int) -> None:
        self.dut, self.engine, self.mhz = dut, dma, clock_hz / 1e6
        self.lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi_control"), dut.ap_clk)
        self.interrupt_at: int | None = None
        self.dma = SimpleNamespace(read=self._access(self._dma_read), write=self._access(self._dma_write))
        self.penni = SimpleNamespace(read=self._access(self._read), write=self._access(self._write))
        self.allocate = dma.memory.allocate
        self.sleep = resume(self._sleep)

    def set_clock(self, mhz: float) -> float:
        return self.mhz

    def now(self) -> float:
        return cycle() / (self.mhz * 1e6)

    async def _sleep(self, seconds: float) -> None:
        await Timer(max(1, round(seconds * self.mhz * 1e6)) * PERIOD, "step")

    def _access(self, method: Callable) -> Callable:
        resumed = resume(method)

        def access(*arguments):
            if self.interrupt_at is not None:
                self.interrupt_at -= 1
                if self.interrupt_at < 0:
                    self.interrupt_at = None
                    raise KeyboardInterrupt
            return resumed(*arguments)

        return access

    async def _dma_read(self, offset: int) -> int:
        await ClockCycles(self.dut.ap_clk, ACCESS)
        return self.engine.registers.read(offset)

    async def _dma_write(self, offset: int, value: int) -> None:
        await ClockCycles(self.dut.ap_clk, ACCESS)
        self.engine.registers.write(offset, value)

    async def _read(self, offset: int) -> int:
        await ClockCycles(self.dut.ap_clk, ACCESS)
        return int.from_bytes((await self.lite.read(offset, 4)).data, "little")

    async def _write(self, offset: int, value: int) -> None:
        await ClockCycles(self.dut.ap_clk, ACCESS)
        await self.lite.write(offset, value.to_bytes(4, "little"))


class Watch:
    """Counts by itself, at the ports, what the accelerator's counters count. Slow: it looks at every cycle."""

    def __init__(self, dut) -> None:
        self.dut, self.blocked, self.first, self.last = dut, 0, None, None
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        dut, edge = self.dut, RisingEdge(self.dut.ap_clk)
        while True:
            await edge
            if dut.m_axis_TVALID.value:
                if dut.m_axis_TREADY.value:
                    self.last = cycle()
                else:
                    self.blocked += 1
            if self.first is None and dut.s_axis_TVALID.value and dut.s_axis_TREADY.value:
                self.first = cycle()


class System:
    """What a scenario works with."""

    def __init__(self, dut, spec: dict, folder: Path) -> None:
        sys.path.insert(0, spec["driver"])
        import penni
        import penni_registers

        self.registers = penni_registers
        self.penni, self.spec, self.folder, self.dut = penni, spec, folder, dut
        self.dma = Dma(dut)
        self.board = SimBoard(dut, self.dma, spec["clock_hz"])
        self.images = np.load(folder / "images.npy")
        self.model = penni.Model.read(Path(spec["driver"]) / "penni.json")

    def open(self, **options) -> object:
        return self.penni.Accelerator(board=self.board, **options)

    def refused(self, call: Callable) -> str:
        """The error of a call that must not succeed."""
        try:
            call()
        except self.penni.BoardError as error:
            return f"{type(error).__name__}: {error}"
        raise AssertionError("it was not refused")

    def interrupted(self, call: Callable, access: int) -> bool:
        self.board.interrupt_at = access
        try:
            call()
        except KeyboardInterrupt:
            return True
        self.board.interrupt_at = None
        return False


def batches(system: System) -> dict:
    """All images, in batches: results, counters, cycles; another network's digest is refused."""
    other = replace(system.model, digest=f"{int(system.model.digest, 16) ^ 1:032x}")
    found = {"refused": system.refused(lambda: system.open(model=other))}
    with system.open() as accelerator:
        found["clock_mhz"] = accelerator.clock_mhz
        before, start = accelerator.counters(), cycle()
        results = accelerator.logits(system.images, system.spec["batch"])
        found["cycles"] = cycle() - start
        found["counters"] = asdict(accelerator.counters() - before)
        found["operators"] = accelerator.operator_counters()
    found["ends"] = system.dma.ends
    np.save(system.folder / "results.npy", results)
    found["left"] = len(system.dma.memory.blocks)
    return found


def faults(system: System) -> dict:
    """Each fault, and then a batch that must be right. results.npy has one after the other."""
    found, results = {}, []
    images, batch = system.images, system.spec["batch"]
    accelerator = system.open(timeout=system.spec["timeout"])
    watch = Watch(system.dut)

    def again(name: str) -> None:
        results.append(accelerator.logits(images, batch))
        found[f"{name}: errors"] = system.board.penni.read(system.registers.ERRORS)

    def call() -> np.ndarray:
        return accelerator.logits(images, batch)

    before, start = accelerator.counters(), cycle()
    again("at first")
    counters = accelerator.counters() - before
    found |= {"counters": asdict(counters), "span": cycle() - start, "blocked": watch.blocked}
    found["busy at most"] = watch.last - watch.first
    # A result that is not taken for a while is blocked, cycle by cycle.
    before, blocked = accelerator.counters(), watch.blocked
    system.dma.stop_receive = True

    async def later() -> None:
        await ClockCycles(system.dut.ap_clk, system.spec["block"])
        system.dma.stop_receive = system.dma.sink.pause = False

    resume(_start)(later)
    again("blocked for a while")
    found["blocked for a while"] = [(accelerator.counters() - before).blocked, watch.blocked - blocked]
    # A soft reset in mid-frame: a stream that is left while the next image is on its way.
    stream = accelerator.stream(iter(images))
    next(stream)
    found["in flight"] = system.board.penni.read(system.registers.STATUS)
    stream.close()
    found["idle"] = system.board.penni.read(system.registers.STATUS)
    again("left in mid-frame")
    # Ctrl-C, at several places of a batch.
    interrupts = 0
    for access in system.spec["interrupts"]:
        interrupts += system.interrupted(call, access)
        again(f"Ctrl-C at {access}")
    found["interrupts"] = interrupts
    # A DMA engine that stops sending in mid-image, or taking results.
    system.dma.source.stop_after = system.spec["stop_after"]
    found["send stops"] = system.refused(call)
    system.dma.source.stop_after = None
    again("send stopped")
    system.dma.stop_receive = True
    found["receive stops"] = system.refused(call)
    system.dma.stop_receive = False
    again("receive stopped")
    # Memory refuses an access in mid-packet.
    system.dma.error[axi_dma.SEND] = axi_dma.SLAVE_ERROR
    found["slave error"] = system.refused(call)
    again("slave error")
    found["validate"] = accelerator.validate()
    accelerator.close()
    found["left"] = len(system.dma.memory.blocks)
    np.save(system.folder / "results.npy", np.stack(results))
    return found


async def _start(task: Callable) -> None:
    cocotb.start_soon(task())


SCENARIOS = {"batches": batches, "faults": faults}


@cocotb.test()
async def system_bench(dut) -> None:
    path = Path(os.environ["PENNI_SYSTEM"])
    spec = json.loads(path.read_text())
    dut.ap_rst_n.value = 0
    Clock(dut.ap_clk, PERIOD, "step").start()
    system = System(dut, spec, path.parent)
    await ClockCycles(dut.ap_clk, 10)
    await FallingEdge(dut.ap_clk)
    dut.ap_rst_n.value = 1
    await ClockCycles(dut.ap_clk, 5)
    run = cocotb.start_soon(bridge(SCENARIOS[spec["scenario"]])(system))
    limit = Timer(spec["limit"] * PERIOD, "step")
    assert await First(run, limit) is not limit, "the scenario does not end"
    (path.parent / "result.json").write_text(json.dumps(run.result(), indent=1))
