"""Drivers and monitors of valid/ready streams, stepped by one loop per bench: sample when settled, drive after an edge.

Between two rising edges a stream is sampled once, at the falling edge, when all signals have settled: the next rising
edge takes what is sampled there.
"""

from __future__ import annotations

import random


class Signal:
    """One handle, or none: a stream without this signal reads 1 and ignores writes."""

    def __init__(self, dut, name: str | None) -> None:
        self.handle = getattr(dut, name) if name else None

    def get(self) -> int:
        return int(self.handle.value) if self.handle is not None else 1

    def set(self, value: int) -> None:
        if self.handle is not None:
            self.handle.value = value


class Source:
    """Feeds words into a stream, with random idle cycles. `words`: ints, one per beat."""

    def __init__(self, dut, port: dict, words: list[int]) -> None:
        self.name = port["name"]
        self.valid, self.ready, self.data = (Signal(dut, port[key]) for key in ("valid", "ready", "data"))
        self.words = words
        self.start(0.0, random.Random(0))

    def start(self, idle: float, rng: random.Random) -> None:
        self.idle, self.rng = idle, rng
        self.index, self.offered, self.first_cycle = 0, False, None

    def quiet(self) -> None:
        self.offered = False
        self.valid.set(0)

    @property
    def done(self) -> bool:
        return self.index == len(self.words)

    def sample(self, cycle: int) -> bool:
        """True when the next edge takes a word."""
        self.taken = self.offered and self.ready.get() == 1
        if self.taken and self.first_cycle is None:
            self.first_cycle = cycle
        return self.taken

    def drive(self) -> None:
        if self.offered and not self.taken:
            return  # valid stays, data stays
        if self.taken:
            self.index += 1
            self.taken = False
        was = self.offered
        self.offered = not self.done and (not self.idle or self.rng.random() >= self.idle)
        if self.offered:
            self.data.set(self.words[self.index])
        if self.offered != was or not self.index:
            self.valid.set(int(self.offered))

    taken = False

    @property
    def sleeps(self):
        """The handle whose rising edge ends the wait; None where the next cycle may change something."""
        return self.ready.handle if self.offered and not self.taken else None

    @property
    def resting(self) -> bool:
        return self.done or self.sleeps is not None


class Sink:
    """Takes words from a stream, with random backpressure, and compares each with the expected one.

    Also checks the protocol: a word once offered stays, unchanged, until it is taken; `last`, where there is one, is
    high on the last beat of a frame and on no other.
    """

    def __init__(self, dut, port: dict, words: list[int], frames: int) -> None:
        self.name = port["name"]
        self.valid, self.ready, self.data = (Signal(dut, port[key]) for key in ("valid", "ready", "data"))
        self.last = Signal(dut, port.get("last")) if port.get("last") else None
        self.mask = (1 << port["bits"]) - 1
        self.words = words
        self.per_frame = len(words) // max(frames, 1) or 1  # none where a port gets no frame
        self.mismatch: dict | None = None
        self.protocol: str | None = None
        self.start(0.0, random.Random(0))

    def start(self, backpressure: float, rng: random.Random) -> None:
        self.backpressure, self.rng = backpressure, rng
        self.index, self.is_ready, self.waiting = 0, False, None
        self.frame_ends: list[int] = []

    def quiet(self) -> None:
        self.is_ready, self.waiting = False, None
        self.ready.set(0)

    @property
    def done(self) -> bool:
        return self.index >= len(self.words)

    def sample(self, cycle: int) -> bool:
        self.seen = self.valid.get() == 1
        if not self.seen:
            if self.waiting is not None:
                self._violation("valid fell before the word was taken")
            return False
        word = self.data.handle.value.to_unsigned() & self.mask
        if self.waiting is not None and word != self.waiting:
            self._violation("data changed before the word was taken")
        self.waiting = None if self.is_ready else word
        if not self.is_ready:
            return False
        self._compare(word, cycle)
        return True

    seen = False

    def _compare(self, word: int, cycle: int) -> None:
        if self.done:
            self._violation("more words than expected")
            return
        frame, beat = divmod(self.index, self.per_frame)
        if word != self.words[self.index] & self.mask and self.mismatch is None:
            self.mismatch = {
                "port": self.name, "frame": frame, "beat": beat,
                "expected": hex(self.words[self.index] & self.mask), "got": hex(word),
            }  # fmt: skip
        at_end = beat == self.per_frame - 1
        if self.last is not None and self.last.get() != at_end:
            self._violation("last is missing" if at_end else "last within a frame")
        if at_end:
            self.frame_ends.append(cycle)
        self.index += 1

    def _violation(self, what: str) -> None:
        if self.protocol is None:
            frame, beat = divmod(self.index, self.per_frame)
            self.protocol = f"{self.name}: {what} (frame {frame}, beat {beat})"

    def drive(self) -> None:
        ready = not self.backpressure or self.rng.random() >= self.backpressure
        if ready != self.is_ready:
            self.is_ready = ready
            self.ready.set(int(ready))

    @property
    def sleeps(self):
        return self.valid.handle if not self.backpressure and self.is_ready and not self.seen else None

    @property
    def resting(self) -> bool:
        return self.sleeps is not None
