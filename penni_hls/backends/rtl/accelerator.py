"""Design -> rtl/penni_accelerator.v: the network in its shell, as a block design takes it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...errors import UsageError
from .. import registers
from ..design import Design
from ..shell import ACCELERATOR, images_in_flight
from ..templates import render
from ..top import INPUT, OUTPUT, TopPort, ports
from .emit import SignalView
from .signals import Signal, signals

# hw/rtl/penni_<name>.sv of the shell, for those who take the network from elsewhere
MODULES = (
    "axi_lite", "counter", "fifo", "frame_last", "operator_counters", "packet_in", "packet_out", "ram", "registers", "shell",
    "unpack",
)  # fmt: skip


@dataclass(frozen=True)
class PortView:
    """A port of the accelerator. bus: Vivado's name of its interface."""

    name: str
    bus: str
    signals: tuple[Signal, ...]


@dataclass(frozen=True)
class Guard:
    """What lies between a read master of the network, which a soft reset stops anywhere, and its port. bits: of a word."""

    port: PortView
    bits: int


def accelerator_ports(design: Design) -> tuple[PortView, ...]:
    """Every port but clock and reset, in order: registers, pixels, results, ports that operators bring."""
    lanes, results = design.shell.input_bits // 8, signals(_port(design, OUTPUT))
    pixels = (
        Signal("TDATA", False, f"[{8 * lanes}-1:0] "), Signal("TKEEP", False, f"[{lanes}-1:0] "), Signal("TLAST", False),
        Signal("TVALID", False), Signal("TREADY", True),
    )  # fmt: skip
    scalars = tuple(
        Signal(s.name, s.output) if s.name == "TLAST" else s for s in results if s.name != "TSTRB"
    )  # of a DMA engine's stream
    brought = (
        PortView(port.name, "aximm" if port.kind == "memory" else "axis", signals(port))
        for port in ports(design.schedule)
        if port.external
    )
    return (
        PortView(registers.PREFIX, "aximm", CONTROL), PortView(INPUT, "axis", pixels), PortView(OUTPUT, "axis", scalars),
        *brought,
    )  # fmt: skip


def _port(design: Design, name: str) -> TopPort:
    return next(port for port in ports(design.schedule) if port.name == name)


_ADDRESS = f"[{registers.ADDRESS_BITS}-1:0] "
CONTROL = (
    Signal("AWADDR", False, _ADDRESS), Signal("AWVALID", False), Signal("AWREADY", True), Signal("WDATA", False, "[31:0] "),
    Signal("WSTRB", False, "[3:0] "), Signal("WVALID", False), Signal("WREADY", True), Signal("BRESP", True, "[1:0] "),
    Signal("BVALID", True), Signal("BREADY", False), Signal("ARADDR", False, _ADDRESS), Signal("ARVALID", False),
    Signal("ARREADY", True), Signal("RDATA", True, "[31:0] "), Signal("RRESP", True, "[1:0] "), Signal("RVALID", True),
    Signal("RREADY", False),
)  # fmt: skip


def emit_accelerator(design: Design) -> dict[str, str]:
    """The accelerator, and a list of the files of its shell."""
    shown, operators = accelerator_ports(design), len(design.schedule.instances)
    if design.shell.counters and operators > registers.MOST_OPERATORS:
        raise UsageError(
            f"--counters: {operators} operators, and room for {registers.MOST_OPERATORS}; leave it out, or make fewer copies"
        )
    top, lanes = {port.name: port for port in ports(design.schedule)}, design.shell.input_bits // 8
    word, guards = top[INPUT].bits // 8, [Guard(p, top[p.name].bits) for p in shown[3:] if top[p.name].kind == "memory"]
    if lanes % word:
        raise UsageError(f"a stream of {8 * lanes} bits for a network that takes {8 * word} bits in a cycle")
    view = {
        "ports": shown,
        "buses": [port.name for port in shown],
        "control": [
            SignalView(
                f"{signal.name.lower()}_{'o' if signal.output else 'i'}", f"{registers.PREFIX}_{signal.name}", "", ""
            )
            for signal in CONTROL
            if not signal.name.endswith("RESP")
        ],
        "through": [
            f"{port.name}_{signal.name}"
            for port in shown[3:]
            if top[port.name].kind != "memory"
            for signal in port.signals
        ],
        "guards": guards,
        "lanes": lanes,
        "word": word,
        "image_bytes": math.prod(design.schedule.graph.input.op.out_spec.shape),
        "result_words": top[OUTPUT].words,
        "images": images_in_flight(design.schedule),
        "operators": operators if design.shell.counters else 0,
        "clock_hz": round(design.schedule.board.clock_mhz * 1e6),
        "digest": design.digest,
    }
    return {
        f"rtl/{ACCELERATOR}.v": render("rtl/penni_accelerator.v.j2", view=view),
        "rtl/shell.f": "".join(f"penni_{name}.sv\n" for name in (*MODULES, *["read_guard"] * bool(guards))),
    }
