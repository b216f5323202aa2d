"""What a pickle describes, as values that do nothing: names, records of calls, storages, tensors. And the budget."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ...errors import CheckpointError

MAX_STEPS = 1_000_000  # opcodes and copied items of one file; a network of a thousand layers takes 200,000

# What a storage class holds: the name of its numbers, bytes each. As torch names them, torch.<name>Storage.
STORAGES = {
    "Float": ("float32", 4), "Half": ("float16", 2), "BFloat16": ("bfloat16", 2), "Double": ("float64", 8),
    "Long": ("int64", 8), "Int": ("int32", 4), "Short": ("int16", 2), "Char": ("int8", 1), "Byte": ("uint8", 1),
    "Bool": ("bool", 1), "ComplexFloat": ("complex64", 8), "ComplexDouble": ("complex128", 16), "Untyped": ("uint8", 1),
    "QInt8": ("qint8", 1), "QUInt8": ("quint8", 1), "QInt32": ("qint32", 4), "QUInt4x2": ("quint4x2", 1),
    "QUInt2x4": ("quint2x4", 1),
}  # fmt: skip


def short(text: str) -> str:
    """Printable, on one line, of bounded length."""
    text = text[:120]
    return text if text.isprintable() else ascii(text)


class Budget:
    """How much of a file of `size` bytes may still be worked on."""

    def __init__(self, size: int) -> None:
        # What is nested may be copied twice (text to bytes, then read); more is the same bytes again and again.
        self._steps, self._nested = MAX_STEPS, 2 * size + (1 << 20)

    def spend(self, steps: int = 1) -> None:
        self._steps -= steps
        if self._steps < 0:
            raise CheckpointError(f"its pickle takes more than {MAX_STEPS:,} steps: no network needs as many")

    def spend_bytes(self, count: int) -> None:
        self._nested -= count
        if self._nested < 0:
            raise CheckpointError("its pickle unpacks to more than it is long")


@dataclass(frozen=True, eq=False, slots=True)
class Name:
    """A class or function that the pickle names."""

    module: str
    name: str

    def __str__(self) -> str:
        return short(f"{self.module}.{self.name}")


@dataclass(eq=False, slots=True)
class Record:
    """An object that the pickle would have built: what it called, with what, and the state it then set."""

    kind: Name | Record
    args: tuple
    state: object = None

    def __str__(self) -> str:
        """The name of its class, as far as the pickle gives one."""
        kind = self.kind
        if isinstance(kind, Record):  # a class made by the pickle itself: dill's _create_type(type, name, …)
            return short(next((arg for arg in kind.args if isinstance(arg, str)), "object"))
        return str(kind)


@dataclass(frozen=True, eq=False, slots=True)
class Storage:
    """The numbers of one or several tensors. key: where they lie; data: they themselves, where they came nested."""

    dtype: str
    itemsize: int
    numel: int
    key: str
    data: bytes | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Tensor:
    """A view of a storage, in elements; nothing is checked yet."""

    storage: Storage
    offset: Any
    shape: Any
    strides: Any


def with_data(storage: Storage, data: bytes) -> Storage:
    return replace(storage, data=data)
