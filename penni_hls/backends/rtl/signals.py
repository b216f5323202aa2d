"""The signals of the top's ports in SystemVerilog: names as Vitis HLS gives them."""

from __future__ import annotations

from dataclasses import dataclass

from ..top import TopPort

ADDRESS_BITS = 32


@dataclass(frozen=True)
class Signal:
    """name: without that of the port. range: as it is declared, "" for a scalar."""

    name: str
    output: bool
    range: str = ""

    @property
    def direction(self) -> str:
        return "output" if self.output else "input "


def signals(port: TopPort) -> tuple[Signal, ...]:
    """In the order of the port list."""
    match port.kind:
        case "stream_in":
            return (Signal("TDATA", False, f"[{port.bits}-1:0] "), Signal("TVALID", False), Signal("TREADY", True))
        case "stream_out":
            size = port.bits // 8
            return (
                Signal("TDATA", True, f"[{size}*8-1:0] "), Signal("TKEEP", True, f"[{size}-1:0] "),
                Signal("TSTRB", True, f"[{size}-1:0] "), Signal("TLAST", True, "[0:0] "), Signal("TVALID", True),
                Signal("TREADY", False),
            )  # fmt: skip
    return (
        Signal("ARID", True, "[0:0] "), Signal("ARADDR", True, f"[{ADDRESS_BITS}-1:0] "),
        Signal("ARLEN", True, "[7:0] "), Signal("ARSIZE", True, "[2:0] "), Signal("ARBURST", True, "[1:0] "),
        Signal("ARVALID", True), Signal("ARREADY", False), Signal("RID", False, "[0:0] "),
        Signal("RDATA", False, f"[{port.bits}-1:0] "), Signal("RRESP", False, "[1:0] "), Signal("RLAST", False),
        Signal("RVALID", False), Signal("RREADY", True),
    )  # fmt: skip
