"""The accelerator by its registers: which network it holds, its clock, its soft reset, what it has counted."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import penni_registers as registers
from penni_board import Board, BoardError

WRAP = 1 << 48  # of counters
CLOCK_WATCH = 2e-3  # seconds in which the clock is measured
CLOCK_TOLERANCE = 0.05
CLOCK_ABOVE = 1.001  # times the clock that timing was met for


class AcceleratorError(BoardError):
    """What the accelerator gives is not what it should. One line: what, and what to do."""


@dataclass(frozen=True)
class Model:
    """What penni.json of the folder says. image: (H, W, C); result: (classes,), or (H, W, C) where it is a map.

    logit_scale: what one step of an integer result is worth. digest: hexadecimal, of the design. cycles_per_image, latency:
    predicted, in clock cycles. operators: their names, in the order of their counters.
    """

    name: str
    image: tuple[int, ...]
    result: tuple[int, ...]
    logit_scale: float
    digest: str
    clock_mhz: float
    cycles_per_image: int
    latency: int
    operators: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Model:
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


@dataclass(frozen=True)
class Counters:
    """What the accelerator has counted since the bitstream was loaded, or between two readings (their difference).

    cycles: of its clock; busy: with an image in it; starved: busy, and it would take pixels, but none come; blocked: a result
    is not taken. images_in, images_out: whole ones.
    """

    cycles: int
    busy: int
    starved: int
    blocked: int
    images_in: int
    images_out: int

    def __sub__(self, before: Counters) -> Counters:
        pairs = zip(vars(self).values(), vars(before).values())
        return Counters(*((after - earlier) % WRAP for after, earlier in pairs))

    def __str__(self) -> str:
        return (
            f"{self.images_in} images in, {self.images_out} out; of {self.cycles:,} cycles {self.busy:,} busy,"
            f" {self.starved:,} starved, {self.blocked:,} blocked"
        )


class Core:
    """The registers of a loaded bitstream, which is checked to hold `model`. clock_mhz: 0 before `set_clock`."""

    def __init__(self, board: Board, model: Model) -> None:
        """AcceleratorError unless the registers are those of the network."""
        self._board, self._model = board, model
        self.clock_mhz = 0.0
        found = self._read(registers.MAGIC)
        if found != registers.MAGIC_VALUE:
            raise AcceleratorError(
                f"no accelerator of penni-hls answers (its first register reads {found:#010x}); load the penni.bit of this"
                " folder"
            )
        major = self._read(registers.VERSION) >> 16
        if major != registers.MAP_VERSION[0]:
            raise AcceleratorError(
                f"the bitstream has registers of version {major}, this driver knows {registers.MAP_VERSION[0]}; take"
                " penni.bit and the driver from the same project"
            )
        digest = "".join(f"{self._read(registers.DIGEST + 4 * word):08x}" for word in range(4))
        if digest != model.digest:
            raise AcceleratorError(
                f"the bitstream holds another network (digest {digest}) than this folder's {model.name} (digest"
                f" {model.digest}); copy penni.bit and penni.hwh of its project here"
            )

    def hold_reset(self) -> None:
        """Empty the accelerator. Until `release` it takes and drops what comes, and gives nothing."""
        self._board.penni.write(registers.CONTROL, registers.CONTROL_RESET)

    def release(self) -> None:
        self._board.penni.write(registers.CONTROL, 0)

    def set_clock(self) -> None:
        """Ask the board for the clock that the bitstream was made for, or the nearest one below it; a warning where
        the accelerator counts another one than the board reads back."""
        wanted = self._read(registers.CLOCK_HZ) / 1e6 or self._model.clock_mhz
        asked = wanted
        while (found := self._board.set_clock(asked)) > wanted * CLOCK_ABOVE and asked > wanted / 2:
            asked *= 0.97
        self.clock_mhz = found
        for seconds in (CLOCK_WATCH, 20 * CLOCK_WATCH):  # a busy processor spoils a short look
            measured = self.measured_clock(seconds)
            if abs(measured / found - 1) < CLOCK_TOLERANCE:
                return
        warnings.warn(
            f"the accelerator's clock is {measured:.1f} MHz by its own count, but {found:.1f} MHz are read back: PYNQ takes"
            " this board for one with another crystal",
            stacklevel=3,
        )

    def measured_clock(self, seconds: float = CLOCK_WATCH) -> float:
        """MHz, from the accelerator's cycles in `seconds` of the board's time."""
        start, before = self._board.now(), self._read_long(registers.CYCLES)
        self._board.sleep(seconds)
        end, after = self._board.now(), self._read_long(registers.CYCLES)
        return (after - before) % WRAP / (end - start) / 1e6

    def counters(self) -> Counters:
        """A reading. They wrap after 2^48; the difference of two readings is right all the same."""
        names = ("CYCLES", "BUSY_CYCLES", "STARVED_CYCLES", "BLOCKED_CYCLES", "IMAGES_IN", "IMAGES_OUT")
        return Counters(*(self._read_long(getattr(registers, name)) for name in names))

    def operator_counters(self) -> dict[str, tuple[int, int]]:
        """(starved, blocked) cycles of each operator, modulo 2^32; {} unless the project was generated with --counters."""
        mask = registers.STREAMS_OPERATORS
        count = (self._read(registers.STREAMS) & mask) // (mask & -mask)
        bases = (registers.OPERATORS + index * registers.OPERATOR_BYTES for index in range(count))
        return {name: (self._read(base), self._read(base + 4)) for name, base in zip(self._model.operators, bases)}

    def state(self, begun: Counters) -> str:
        """For a message: what was counted since `begun`, what the accelerator does now, and what that means."""
        status, errors = self._read(registers.STATUS), self._read(registers.ERRORS)
        first = self.counters()
        self._board.sleep(1e-4)
        last = self.counters()
        if first.cycles == last.cycles:
            why = "its clock stands still"
        elif status & registers.STATUS_OUTPUT_WAITS:
            why = "a result waits, and the DMA engine does not take it"
        elif status & registers.STATUS_INPUT_WAITS:
            why = "pixels wait, and it does not take them"
        elif last.starved > first.starved or not status & registers.STATUS_BUSY:
            why = "it waits for pixels that the DMA engine does not send"
        else:
            why = "it computes"
        told = f"{last - begun} since the call began; {why}"
        return f"{told}; its errors: {errors:#x}" if errors else told

    def _read(self, register: int) -> int:
        return self._board.penni.read(register)

    def _read_long(self, register: int) -> int:
        """A counter: reading its lower word keeps the upper one."""
        low = self._read(register)
        return self._read(register + 4) << 32 | low
