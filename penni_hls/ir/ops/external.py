"""Ports that an operator brings to the top of the accelerator, beside the streams that join it to other operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .memory import Memory


@dataclass(frozen=True)
class External:
    """A port of the top that belongs to one operator.

    protocol: "stream", an AXI4-Stream into the operator, which takes `contents` once per frame; or "memory", an AXI4
    read master on a memory that holds `contents` from address 0 on, its words in whole bytes. In hardware the operator's
    module has the signals of the protocol as <name>_tdata_i, <name>_araddr_o and so on; its C++ function takes an
    hls::stream or a pointer to const as a further argument.
    """

    name: str
    protocol: Literal["stream", "memory"]
    contents: Memory

    def __post_init__(self) -> None:
        if self.contents.width % 8:
            raise ValueError(f"external port {self.name}: {self.contents.width} bits are no whole bytes")
