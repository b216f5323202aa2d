"""What a pickle describes, as values that do nothing: names, records of calls. And the budget that reading one has."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import PenniError

MAX_STEPS = 1_000_000  # opcodes and copied items per file; a network of a thousand layers takes 200,000


class PickleError(PenniError):
    """A pickle that cannot be read, or is refused: one line without the path."""


def short(text: str) -> str:
    """Text of a file as part of a message: printable, on one line, of bounded length."""
    text = text[:120]
    return text if text.isprintable() else ascii(text)


class Budget:
    """How much work may still be done on a file of `size` bytes. PickleError once it is spent."""

    def __init__(self, size: int) -> None:
        # What is nested may be copied twice (text to bytes, then read); more is the same bytes again and again.
        self._steps, self._nested = MAX_STEPS, 2 * size + (1 << 20)

    def spend(self, steps: int = 1) -> None:
        self._steps -= steps
        if self._steps < 0:
            raise PickleError(f"its pickle takes more than {MAX_STEPS:,} steps, far more than such a file needs")

    def spend_bytes(self, count: int) -> None:
        self._nested -= count
        if self._nested < 0:
            raise PickleError("its pickle unpacks to more bytes than the file can hold")


@dataclass(frozen=True, eq=False, slots=True)
class Name:
    """A class or function that the pickle names."""

    module: str
    name: str

    def __str__(self) -> str:
        return short(f"{self.module}.{self.name}")


@dataclass(eq=False, slots=True)
class Record:
    """An object that the pickle would have built: what it called, the arguments, and the state that it set later."""

    kind: Name | Record
    args: tuple
    state: object = None

    def __str__(self) -> str:
        """The name of its class, as far as the pickle gives one."""
        kind = self.kind
        if isinstance(kind, Record):  # a class made by the pickle itself: dill's _create_type(type, name, …)
            return short(next((arg for arg in kind.args if isinstance(arg, str)), "object"))
        return str(kind)
