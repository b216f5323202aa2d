"""Verilog around what an HLS compiler makes: bambu's block under the vendor's ports, an operator under those of a bench."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...ir.ops.base import Folding, Operator
from ...ir.streams import Port
from ..templates import identifier, render
from ..top import TopPort
from .bambu import CORE


@dataclass(frozen=True)
class Signals:
    """An AXI4-Stream port. high: the number of its data's highest bit; packet: beats of a packet, where there is TLAST,
    else 0; bench: how its signals begin in a bench of operators."""

    name: str
    high: int
    output: bool
    packet: int = 0
    bench: str = ""


def bambu_top(ports: Iterable[TopPort], top: str) -> str:
    """bambu's block of a network's top. Ports on a memory are left out: bambu's are not those of Vitis HLS."""
    streams = [port for port in ports if port.kind != "memory"]
    return _bambu(
        top, [Signals(port.name, port.bits - 1, out := port.kind == "stream_out", out * port.words) for port in streams]
    )


def bambu_operator(name: str, op: Operator, folding: Folding, top: str) -> str:
    """The same of an operator's own top."""
    return _bambu(top, _operator(name, op, folding))


def operator_bench(name: str, op: Operator, folding: Folding, top: str, bench: str) -> str:
    """A module `bench` around the operator's own top, with the ports of the bench of operators."""
    return render("hls/operator_bench.v.j2", bench=bench, top=top, ports=_operator(name, op, folding))


def _bambu(top: str, ports: list[Signals]) -> str:
    inputs, outputs = ([port for port in ports if port.output == output] for output in (False, True))
    return render("hls/bambu_top.v.j2", core=CORE, top=top, inputs=inputs, outputs=outputs)


def _operator(name: str, op: Operator, folding: Folding) -> list[Signals]:
    def view(label: str, port: Port, output: bool) -> Signals:
        return Signals(label, port.stream.bits - 1, output, bench=f"{identifier(name)}_{port.name}")

    ins = [view(f"in{i}", port, False) for i, port in enumerate(op.inputs(folding))]
    return ins + [view(f"out{i}", port, True) for i, port in enumerate(op.outputs(folding))]
