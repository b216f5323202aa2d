"""A board in Python for the driver's code: DMA engine, accelerator and memory in a time of their own, with faults.

The DMA engine's registers are those of sim/axi_dma.py, which the simulation of the RTL uses, too; the accelerator gives the
reference's results at an even pace.
"""

from __future__ import annotations

import importlib
import math
import sys
import types
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from penni_hls.backends import registers
from penni_hls.files import SIM
from penni_hls.ir import interpreter
from penni_hls.ir.graph import Graph

sys.path.insert(0, str(SIM))
import axi_dma  # noqa: E402

ACCESS = 1e-6  # seconds of a register access
LATENCY = 30  # cycles from an image's last byte to its result
OFFSETS = {register.name: register.offset for register in registers.MAP}
MODULES = ("penni", "penni_board", "penni_core", "penni_registers")


def driver(folder: Path) -> types.ModuleType:
    """The module `penni` of a project's driver/; another project's may be loaded beside it."""
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module("penni")
    finally:
        sys.path.remove(str(folder))
        for name in MODULES:
            sys.modules.pop(name, None)


@dataclass
class Faults:
    """interrupt: Ctrl-C at this register access, counted from 0, before it is done. stop_send, stop_receive: the engine's
    direction stops after so many images. send_error, receive_error: these bits of the status instead of a transfer.
    packet: images after which a packet of results ends, whatever went in. clock: runs. stuck: the engine stays in reset."""

    interrupt: int | None = None
    stop_send: int | None = None
    stop_receive: int | None = None
    send_error: int = 0
    receive_error: int = 0
    packet: int | None = None
    clock: bool = True
    stuck: bool = False


@dataclass
class FakeBoard:
    """crystal: what the real clock is, times what is read back."""

    graph: Graph
    digest: str
    cycles_per_image: int
    clock_hz: int = 125_000_000
    source_mhz: float = 1000.0
    crystal: float = 1.0
    operators: tuple[tuple[int, int], ...] = ()  # starved and blocked cycles of each
    faults: Faults = field(default_factory=Faults)
    magic: int = registers.MAGIC
    version: int = registers.VERSION[0] << 16 | registers.VERSION[1]

    def __post_init__(self) -> None:
        self.time, self.mhz, self.accesses, self.asked = 0.0, 50.0, 0, []
        self.engine = axi_dma.AxiDma(self._begin, self._stop)
        self.pages = axi_dma.Memory(self.engine)
        self.dma = types.SimpleNamespace(read=self._access(self.engine.read), write=self._access(self.engine.write))
        self.penni = types.SimpleNamespace(read=self._access(self._read), write=self._access(self._write))
        self.in_reset, self.upper, self.cycles, self.cycles_at = False, 0, 0.0, 0.0
        self.taken = self.given = 0
        self.transfers: list[tuple[str, int]] = []
        self._empty()

    # ---- what the driver uses

    def allocate(self, shape, dtype) -> axi_dma.Buffer:
        return self.pages.allocate(shape, dtype)

    @property
    def memory(self) -> dict[int, bytearray]:
        return self.pages.blocks

    def set_clock(self, mhz: float) -> float:
        self.asked.append(mhz)
        self._advance()
        self.mhz = self.source_mhz / max(1, round(self.source_mhz / mhz))
        return self.mhz

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += max(seconds, 1e-7)

    # ---- the hardware

    def _access(self, method):
        def access(*arguments):
            if self.accesses == self.faults.interrupt:
                self.accesses += 1
                raise KeyboardInterrupt
            self.accesses += 1
            self.time += ACCESS
            self._advance()
            return method(*arguments)

        return access

    def _read(self, offset: int) -> int:
        word = (offset - OFFSETS["DIGEST"]) // 4
        if 0 <= word < 4:
            return int(self.digest[8 * word : 8 * word + 8], 16)
        counters = {
            "CYCLES": int(self.cycles), "BUSY_CYCLES": self.taken * self.cycles_per_image, "STARVED_CYCLES": 0,
            "BLOCKED_CYCLES": 0, "IMAGES_IN": self.taken, "IMAGES_OUT": self.given,
        }  # fmt: skip
        for name, value in counters.items():
            if offset == OFFSETS[name]:
                self.upper = value >> 32
                return value & 0xFFFFFFFF
            if offset == OFFSETS[name] + 4:
                return self.upper
        place, word = divmod(offset - registers.OPERATORS, registers.OPERATOR_BYTES)
        if 0 <= place < len(self.operators):
            return self.operators[place][word // 4]
        values = {
            "MAGIC": self.magic, "VERSION": self.version, "CLOCK_HZ": self.clock_hz, "CONTROL": int(self.in_reset),
            "STREAMS": len(self.operators) << 16 | 32 << 8 | 32, "STATUS": self._status(),
        }  # fmt: skip
        return next((value for name, value in values.items() if offset == OFFSETS[name]), 0)

    def _status(self) -> int:
        sending = self.engine.channels[axi_dma.SEND].active and self.sent is not None
        waits_in = sending and self.faults.stop_send is None and self.in_flight >= 2
        waits_out = bool(self.results) and self.results[0].ready <= self.time and not self._receiving()
        return int(bool(self.in_flight)) | waits_in << 3 | waits_out << 4 | self.in_flight << 16

    def _write(self, offset: int, value: int) -> None:
        if offset == OFFSETS["CONTROL"]:
            self.in_reset = bool(value & 1)
            self._empty()

    def _empty(self) -> None:
        """Nothing is in the accelerator."""
        self.results: deque[_Result] = deque()
        self.last_taken = self.time

    @property
    def at_rest(self) -> bool:
        """No transfer is under way, and nothing is in the accelerator."""
        return not any(channel.active for channel in self.engine.channels.values()) and not self.results

    @property
    def in_flight(self) -> int:
        return len(self.results)

    sent: _Send | None = None
    receive: _Receive | None = None

    def _begin(self, name: str, address: int, nbytes: int) -> None:
        self.transfers.append((name, nbytes))
        error = self.faults.send_error if name == axi_dma.SEND else self.faults.receive_error
        memory = self.pages.find(address, nbytes)
        if memory is None:
            error = axi_dma.DECODE_ERROR
        if error:
            self.engine.fail(name, error)
        elif name == axi_dma.SEND:
            shape = self.graph.input.op.out_spec.shape
            assert nbytes % math.prod(shape) == 0, "the packet ends within an image"
            images = np.frombuffer(bytes(memory), np.uint8).reshape(-1, *shape)
            self.sent = _Send(self.time, deque(interpreter.output(self.graph, images).values.astype("<i4")), nbytes)
        else:
            self.receive = _Receive(self.time, memory)

    def _stop(self) -> None:
        self.sent = self.receive = None
        if self.faults.stuck:
            self.engine._resets = 1 << 60

    def _receiving(self) -> bool:
        stop = self.faults.stop_receive
        return self.receive is not None and (stop is None or self.given < stop)

    def _advance(self) -> None:
        """Let happen what happens until now, in order."""
        if self.faults.clock:
            self.cycles += (self.time - self.cycles_at) * self.mhz * 1e6 * self.crystal
        self.cycles_at = self.time
        while True:
            takes, gives = self._next_take(), self._next_give()
            if min(takes, gives) > self.time:
                return
            if takes <= gives:
                self._take(takes)
            else:
                self._give(gives)

    def _next_take(self) -> float:
        stop = self.faults.stop_send
        if self.in_reset or self.sent is None or self.in_flight > 2 or (stop is not None and self.taken >= stop):
            return math.inf
        if not self.faults.clock:
            return math.inf
        return max(self.sent.start, self.last_taken) + self.cycles_per_image / (self.mhz * 1e6 * self.crystal)

    def _next_give(self) -> float:
        if self.in_reset or not self.results or not self._receiving():
            return math.inf
        return max(self.results[0].ready, self.receive.start)

    def _take(self, at: float) -> None:
        self.taken, self.last_taken = self.taken + 1, at
        values, last = self.sent.results.popleft(), len(self.sent.results) == 0
        last = self.taken % self.faults.packet == 0 if self.faults.packet else last
        self.results.append(_Result(at + LATENCY / (self.mhz * 1e6), values, last))
        if not self.sent.results:
            self.engine.finish(axi_dma.SEND, self.sent.nbytes)
            self.sent = None

    def _give(self, at: float) -> None:
        result, receive = self.results.popleft(), self.receive
        self.given += 1
        self.last_taken = max(self.last_taken, at - self.cycles_per_image / (self.mhz * 1e6))
        data = result.values.tobytes()
        assert receive.at + len(data) <= len(receive.memory), "the packet is longer than its buffer"
        receive.memory[receive.at : receive.at + len(data)] = data
        receive.at += len(data)
        if result.last:
            self.receive = None
            self.engine.finish(axi_dma.RECEIVE, receive.at)


@dataclass
class _Send:
    start: float
    results: deque
    nbytes: int


@dataclass
class _Receive:
    start: float
    memory: memoryview
    at: int = 0


@dataclass
class _Result:
    ready: float
    values: np.ndarray
    last: bool
