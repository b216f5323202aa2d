"""An operator of the C++ that is several processes, which hand each other blocks of memory."""

from __future__ import annotations

from dataclasses import dataclass

from ...target.memory import MemoryStyle


@dataclass(frozen=True)
class Blocks:
    """Memories of the C++ type `penni::<module>_types<C>::<name>_block`, which one process fills while the next reads
    another: `depth` of them, so that with one they take turns. lanes: memories that make a block, side by side."""

    name: str
    depth: int
    lanes: int
    style: MemoryStyle


@dataclass(frozen=True)
class Part:
    """The process `penni::<module>_<name>`. arguments: names of the operator's ports and blocks, in order."""

    name: str
    arguments: tuple[str, ...]
