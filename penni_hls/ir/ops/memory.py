"""Read-only memories of operators, and how their words are put together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Memory:
    """A read-only memory image: `words` are non-negative integers of `width` bits, address 0 first."""

    width: int
    words: tuple[int, ...]

    @property
    def depth(self) -> int:
        return len(self.words)

    def hex(self) -> str:
        """The image as $readmemh reads it: one word per line."""
        digits = (self.width + 3) // 4
        return "".join(f"{word:0{digits}x}\n" for word in self.words)


def to_word(fields: tuple[tuple[int, int], ...]) -> int:
    """Pack (value, width) pairs into one word, the first in the lowest bits; values are taken modulo 2^width."""
    word = at = 0
    for value, width in fields:
        word |= (int(value) & ((1 << width) - 1)) << at
        at += width
    return word
