"""An adder graph as the statements of a SystemVerilog module: which value is added to which, and where registers stand.

Value n of the graph is the wire v<n> in the stage that computes it, and v<n>_<t> at the end of stage t. Inputs are
values too, at the end of stage 0. Widths and sign bits are worked out here, so that the template only loops.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...ir.fixed import QType
from ...ir.ops.adder_graph import AdderGraph, RoundedSums


@dataclass(frozen=True)
class Operand:
    """`extend` copies of the sign (0 where the value has none), then bits high..0 of `name`, then `zeros` zeros."""

    name: str
    sign: str
    extend: int
    high: int
    zeros: int


@dataclass(frozen=True)
class Sum:
    name: str
    width: int
    a: Operand
    b: Operand
    operator: str


@dataclass(frozen=True)
class Register:
    name: str
    width: int
    source: str


@dataclass(frozen=True)
class Rounding:
    """Output `index`: `source` followed by `zeros` zeros is rounded by `shift`. source None: the constant 0."""

    index: int
    source: str | None
    width: int
    zeros: int
    signed: int
    shift: int


@dataclass(frozen=True)
class AddersView:
    module: str
    inputs: int
    x_bits: int
    outputs: int
    z_type: QType
    latency: int
    sums: tuple[Sum, ...]
    registers: tuple[Register, ...]
    roundings: tuple[Rounding, ...]


def adders_view(sums: RoundedSums, module: str) -> AddersView:
    graph = sums.graph
    return AddersView(
        module, graph.inputs, graph.x_type.bits, len(sums.shifts), sums.z_type, sums.latency,
        tuple(_sum(graph, index) for index in range(len(graph.adders))),
        tuple(_registers(graph)),
        tuple(_rounding(graph, index, shift) for index, shift in enumerate(sums.shifts)),
    )  # fmt: skip


def _at(index: int, time: int) -> str:
    """The value as it stands at the end of stage `time`."""
    return f"v{index}_{time}" if time else f"v{index}"


def _sum(graph: AdderGraph, index: int) -> Sum:
    adder, stage = graph.adders[index], graph.stages[graph.inputs + index]
    width = adder.qtype.bits

    def operand(source: int, shift: int) -> Operand:
        qtype = graph.qtype(source)
        name = f"v{source}" if graph.stages[source] == stage else _at(source, stage - 1)
        kept = min(qtype.bits, width - shift)  # sums are exact modulo 2^width; a term may be wider than its sum
        sign = f"{name}[{qtype.bits - 1}]" if qtype.signed else "1'b0"
        return Operand(name, sign, width - shift - kept, kept - 1, min(shift, width))

    return Sum(
        f"v{graph.inputs + index}", width, operand(adder.a, adder.a_shift), operand(adder.b, adder.b_shift),
        "-" if adder.subtract else "+",
    )  # fmt: skip


def _last_times(graph: AdderGraph) -> list[int]:
    """For each value the last stage at the end of which its register is read; -1: it is not."""
    last = [-1] * (graph.inputs + len(graph.adders))
    for index, adder in enumerate(graph.adders):
        stage = graph.stages[graph.inputs + index]
        for source in (adder.a, adder.b):
            if graph.stages[source] < stage:
                last[source] = max(last[source], stage - 1)
    for out in graph.outputs:
        if out.source is not None:
            last[out.source] = graph.latency
    return last


def _registers(graph: AdderGraph):
    for index, (stage, last) in enumerate(zip(graph.stages, _last_times(graph))):
        for time in range(max(stage, 1), last + 1):
            source = f"v{index}" if time == max(stage, 1) else _at(index, time - 1)
            yield Register(_at(index, time), graph.qtype(index).bits, source)


def _rounding(graph: AdderGraph, index: int, shift: int) -> Rounding:
    out = graph.outputs[index]
    if out.source is None:
        return Rounding(index, None, 1, 0, 0, 0)
    qtype = graph.qtype(out.source)
    zeros, shift = max(0, out.shift - shift), max(0, shift - out.shift)
    return Rounding(index, _at(out.source, graph.latency), qtype.bits + zeros, zeros, int(qtype.signed), shift)
