"""An adder graph as the statements of a C++ function: sums, then rounding and saturation."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir.fixed import smallest_qtype
from ...ir.ops.adder_graph import RoundedSums


@dataclass(frozen=True)
class AdderView:
    name: str
    type: str
    a: str
    a_shift: int
    sign: str
    b: str
    b_shift: int


@dataclass(frozen=True)
class OutputView:
    """wide: bits of the sum with the rounding half; round: the shift that rounds."""

    source: str | None
    type: str
    shift: int
    wide: int
    round: int


@dataclass(frozen=True)
class Basis:
    inputs: int
    x_type: str
    z_type: str
    z_bits: int
    z_signed: int
    adders: tuple[AdderView, ...]
    outputs: tuple[OutputView, ...]


def _ctype(bits: int, signed: bool) -> str:
    return f"penni::integer<{bits}, {'true' if signed else 'false'}>"


def basis_view(sums: RoundedSums) -> Basis:
    graph, z = sums.graph, sums.z_type

    def source(index: int) -> str:
        return f"x[{index}]" if index < graph.inputs else f"v{index}"

    adders = tuple(
        AdderView(
            f"v{index}", _ctype(adder.qtype.bits, adder.qtype.signed),
            source(adder.a), adder.a_shift, "-" if adder.subtract else "+", source(adder.b), adder.b_shift,
        )
        for index, adder in enumerate(graph.adders, graph.inputs)
    )  # fmt: skip
    outputs = []
    for out, shift in zip(graph.outputs, sums.shifts):
        half = (1 << shift) >> 1
        wide = smallest_qtype(min(-1, out.lo), out.hi + half).bits
        name = None if out.source is None else source(out.source)
        outputs.append(OutputView(name, _ctype(out.qtype.bits, out.qtype.signed), out.shift, wide, shift))
    x = graph.x_type
    return Basis(
        graph.inputs, _ctype(x.bits, x.signed), _ctype(z.bits, z.signed), z.bits, int(z.signed), adders, tuple(outputs)
    )
