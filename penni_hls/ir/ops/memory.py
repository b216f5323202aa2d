"""Read-only memories of operators, and how their words are put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

TOGETHER = 62  # bits that are packed as int64


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


def to_words(fields: Iterable[tuple[np.ndarray, int]]) -> tuple[int, ...]:
    """`to_word` of many words: the values of a field are int64 (words,)."""
    words: list[int] = []
    part, begin, at = None, 0, 0
    for values, width in fields:
        if part is not None and at + width - begin > TOGETHER:
            words, part, begin = _with(words, part, begin), None, at
        field = (np.asarray(values, np.int64) & ((1 << width) - 1)) << at - begin
        part = field if part is None else part | field
        at += width
    return tuple(words if part is None else _with(words, part, begin))


def _with(words: list[int], part: np.ndarray, at: int) -> list[int]:
    return [word | value << at for word, value in zip(words, part.tolist(), strict=True)] if at else part.tolist()
