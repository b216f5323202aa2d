"""AMD's AXI DMA in simple mode ("direct register mode" of PG021 7.1): its registers and the memory that it reaches.

Who moves the data gives `begin` and `stop` and calls `finish` and `fail`. What PG021 leaves undefined is an AssertionError
here, and so is memory that is freed during a transfer: a driver must not do it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SEND, RECEIVE = "send", "receive"  # MM2S, S2MM
OFFSETS = {SEND: 0x00, RECEIVE: 0x30}
CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
RUN, RESET = 0x1, 0x4
HALTED, IDLE, SLAVE_ERROR, DECODE_ERROR, DONE, ERROR_IRQ = 0x1, 0x2, 0x20, 0x40, 0x1000, 0x4000
INTERRUPTS = 0x7000  # of STATUS: a 1 written clears them
RESERVED = 0x10002  # what DMACR reads after a reset
LENGTH_BITS = 26


@dataclass
class Channel:
    """State of one direction, as after a reset."""

    running: bool = False
    active: bool = False
    idle: bool = False  # 0 before the first transfer
    flags: int = 0  # errors and interrupts
    address: int = 0
    length: int = 0


class AxiDma:
    """begin(channel, address, nbytes): a transfer begins. stop(): both streams end early, no memory is touched any more.

    resets: reads of DMACR in which its Reset bit still stands.
    """

    def __init__(self, begin: Callable[[str, int, int], None], stop: Callable[[], None], resets: int = 1) -> None:
        self._begin, self._stop, self._resets = begin, stop, resets
        self._resetting = 0
        self.channels = {name: Channel() for name in OFFSETS}

    def read(self, offset: int) -> int:
        name, register = _place(offset)
        channel = self.channels[name]
        if register == CONTROL:
            still = RESET if self._resetting else 0
            self._resetting = max(0, self._resetting - 1)
            return RESERVED | still | (RUN if channel.running else 0)
        if register == STATUS:
            halted = not channel.running and not channel.active
            return channel.flags | (HALTED if halted else IDLE if channel.idle else 0)
        if register == LENGTH:
            return channel.length
        return {ADDRESS: channel.address & 0xFFFFFFFF, ADDRESS_HIGH: channel.address >> 32}.get(register, 0)

    def write(self, offset: int, value: int) -> None:
        assert 0 <= value < 1 << 32, f"a register of 32 bits is given {value}"
        name, register = _place(offset)
        again = register == CONTROL and value & RESET
        assert again or not self._resetting, "a register is written while the engine is reset"
        channel = self.channels[name]
        if register == CONTROL:
            if value & RESET:
                self._stop()
                self.channels = {name: Channel() for name in OFFSETS}
                self._resetting = self._resets
            else:
                channel.running = bool(value & RUN)
        elif register == STATUS:
            channel.flags &= ~(value & INTERRUPTS)
        elif register in (ADDRESS, ADDRESS_HIGH):
            assert not channel.active, f"{name}: the address changes during a transfer"
            low, high = channel.address & 0xFFFFFFFF, channel.address >> 32
            channel.address = value | high << 32 if register == ADDRESS else low | value << 32
        elif register == LENGTH and value and channel.running:  # writing has no effect where it is halted
            assert value < 1 << LENGTH_BITS, f"{name}: {value} bytes"
            assert not channel.active, f"{name}: a transfer begins before the last has ended"
            channel.active, channel.idle, channel.length = True, False, value
            self._begin(name, channel.address, value)

    def finish(self, name: str, nbytes: int) -> None:
        """The transfer is complete: so many bytes went through."""
        channel = self.channels[name]
        channel.active, channel.idle, channel.length = False, True, nbytes
        channel.flags |= DONE

    def fail(self, name: str, error: int) -> None:
        """Memory has answered with an error: the channel halts, and only a reset helps."""
        channel = self.channels[name]
        channel.running = channel.active = channel.idle = False
        channel.flags |= error | ERROR_IRQ


def _place(offset: int) -> tuple[str, int]:
    name = RECEIVE if offset >= OFFSETS[RECEIVE] else SEND
    return name, offset - OFFSETS[name]


class Buffer(np.ndarray):
    """What `pynq.allocate` gives: an array with a physical address. The engine sees what was flushed, and what it writes is
    seen after `invalidate`: between the two is a cache."""

    memory: Memory
    physical_address: int

    def freebuffer(self) -> None:
        self.memory.free(self)

    def flush(self) -> None:
        self.memory.blocks[self.physical_address][:] = self.tobytes()

    def invalidate(self) -> None:
        bytes_of = self.view(np.ndarray).reshape(-1).view(np.uint8)
        bytes_of[:] = np.frombuffer(self.memory.blocks[self.physical_address], np.uint8)


class Memory:
    """Blocks by their physical address. engine: must be at rest when one is freed."""

    def __init__(self, engine: AxiDma) -> None:
        self._engine, self._next = engine, 0x1000_0000
        self.blocks: dict[int, bytearray] = {}

    def allocate(self, shape: tuple[int, ...], dtype: type) -> Buffer:
        buffer = np.full(shape, 0xA5, dtype).view(Buffer)
        buffer.memory, buffer.physical_address = self, self._next
        self.blocks[self._next] = bytearray(buffer.tobytes())
        self._next += -(-buffer.nbytes // 4096) * 4096
        return buffer

    def free(self, buffer: Buffer) -> None:
        assert not any(channel.active for channel in self._engine.channels.values()), (
            "memory is freed during a transfer"
        )
        del self.blocks[buffer.physical_address]

    def find(self, address: int, nbytes: int) -> memoryview | None:
        """These bytes; None where a part of them is in no block."""
        for base, data in self.blocks.items():
            if base <= address and address + nbytes <= base + len(data):
                return memoryview(data)[address - base :][:nbytes]
        return None
