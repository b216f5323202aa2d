"""What the driver needs of a board: two blocks of registers, memory that the DMA engine reaches, a clock, the time.

`Board` says what that is, `PynqBoard` gets it from PYNQ; a simulation has a board of its own. `AxiDma` is the DMA engine
in simple mode ("direct register mode" in AMD's PG021), by its registers: PYNQ's own driver for it waits without a limit
and cannot reset it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any, Protocol

DMA, PENNI = "dma", "penni"  # names of the two blocks in the block design


class Registers(Protocol):
    """32-bit registers by their offset in bytes, as `pynq.MMIO` has them."""

    def read(self, offset: int) -> int: ...

    def write(self, offset: int, value: int) -> None: ...


class Board(Protocol):
    """dma, penni: registers of the DMA engine and of the accelerator."""

    dma: Registers
    penni: Registers

    def allocate(self, shape: tuple[int, ...], dtype: type) -> Any:
        """An array that the DMA engine reaches, with physical_address, flush(), invalidate() and freebuffer()."""

    def set_clock(self, mhz: float) -> float:
        """Ask for a clock of the accelerator; the one that is set, in MHz, as it is read back."""

    def now(self) -> float:
        """Seconds, from any start, never backwards."""

    def sleep(self, seconds: float) -> None: ...


class PynqBoard:
    """A bitstream loaded by PYNQ 3.0 or later, with its .hwh file beside it."""

    def __init__(self, bitfile: str) -> None:
        """Load `bitfile` into the device. BoardError where there is no PYNQ, or where the bitstream is of another kind."""
        try:
            from pynq import MMIO, Clocks, Overlay, allocate
        except ImportError as error:
            raise BoardError(f"PYNQ cannot be used here ({error}); run this on the board, with its Python") from None

        self._allocate, self._clocks = allocate, Clocks
        # PYNQ would set clocks first: 3.x by divisors for the crystal that Vivado assumed, 4.0 not at all on a Zynq-7000
        # (its frequency is None there, a TypeError). The driver sets the clock itself, after loading.
        self.overlay = Overlay(bitfile, download=False)
        self.overlay.clock_dict = {}
        self.overlay.download()
        missing = [name for name in (DMA, PENNI) if name not in self.overlay.ip_dict]
        if missing:
            raise BoardError(
                f"{bitfile}: no block '{missing[0]}' in its .hwh file, but {', '.join(self.overlay.ip_dict) or 'none'};"
                " take penni.bit and penni.hwh as 'penni-hls build' left them in driver/"
            )
        blocks = (self.overlay.ip_dict[name] for name in (DMA, PENNI))
        self.dma, self.penni = (MMIO(block["phys_addr"], block["addr_range"]) for block in blocks)

    def allocate(self, shape: tuple[int, ...], dtype: type) -> Any:
        return self._allocate(shape, dtype)

    def set_clock(self, mhz: float) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the rate is not met exactly: the driver tells it by how much
            self._clocks.fclk0_mhz = mhz
        return float(self._clocks.fclk0_mhz)

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class BoardError(RuntimeError):
    """The board, its bitstream or its DMA engine is not as it has to be. One line: what, and what to do."""


SEND, RECEIVE = 0x00, 0x30  # of the two channels: memory to stream, stream to memory
CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28  # within a channel
RUN, RESET = 0x1, 0x4  # of CONTROL
HALTED, IDLE, DONE = 0x1, 0x2, 0x1000  # of STATUS; DONE (IOC_Irq) is cleared by writing it
ERRORS = {
    0x10: "internal error", 0x20: "slave error: memory refused an access",
    0x40: "decode error: no memory at the address",
}  # fmt: skip
MOST_BYTES = (1 << 26) - 1  # of a transfer: the block design gives the length register all of its 26 bits
RESET_SECONDS = 0.1


class Channel:
    """One direction of the DMA engine: one transfer at a time."""

    def __init__(self, registers: Registers, offset: int) -> None:
        self._registers, self._offset = registers, offset

    def _write(self, register: int, value: int) -> None:
        self._registers.write(self._offset + register, value)

    def read(self, register: int) -> int:
        return self._registers.read(self._offset + register)

    def start(self, buffer: Any, nbytes: int) -> None:
        """Begin a transfer of the first `nbytes` of `buffer`, 1 to MOST_BYTES. The channel must be idle."""
        self._write(STATUS, DONE)
        address = int(buffer.physical_address)
        self._write(ADDRESS, address & 0xFFFFFFFF)
        self._write(ADDRESS_HIGH, address >> 32)
        self._write(LENGTH, nbytes)  # this starts it

    def done(self) -> bool:
        """True where the transfer has ended. BoardError where the engine has met an error."""
        status = self.read(STATUS)
        found = [text for bit, text in ERRORS.items() if status & bit]
        if found:
            raise BoardError(
                f"the DMA engine has stopped: {'; '.join(found)} (status {status:#x}); where this comes again, load the"
                " bitstream again"
            )
        return bool(status & DONE)

    def received(self) -> int:
        """Bytes that the transfer, which has ended, took from the stream."""
        return self.read(LENGTH)


class AxiDma:
    """Both channels, without interrupts."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.send, self.receive = Channel(board.dma, SEND), Channel(board.dma, RECEIVE)

    def reset(self) -> None:
        """End what is under way, in both directions; no memory is touched any more. BoardError where it does not end."""
        self._board.dma.write(SEND + CONTROL, RESET)  # of both channels
        self._until(lambda: not self._board.dma.read(SEND + CONTROL) & RESET, "come out of its reset")

    def run(self) -> None:
        """Make both channels ready for transfers. BoardError where they are not."""
        for channel in (SEND, RECEIVE):
            self._board.dma.write(channel + CONTROL, RUN)
            self._until(lambda: not self._board.dma.read(channel + STATUS) & HALTED, "run")  # noqa: B023

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        end = self._board.now() + RESET_SECONDS
        while not holds():
            if self._board.now() > end:
                raise BoardError(f"the DMA engine does not {what}; load the bitstream again")
            self._board.sleep(2e-5)

    def __str__(self) -> str:
        send, receive = self.send.read(STATUS), self.receive.read(STATUS)
        return f"DMA status: send {send:#x}, receive {receive:#x}"
