"""Widths of weights, layer by layer, and how they are written: `8/4,layer1.0.conv1=4/3`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..errors import UsageError
from .graph import Graph
from .layers import Conv, Linear, PenniConv

RANGE = range(2, 9)


@dataclass(frozen=True)
class Bits:
    """Bits of a layer's basis kernels and of its coefficients, each in RANGE; UsageError otherwise.

    A layer without bases of its own (a dense, 1x1 or linear one) makes no use of the first.
    """

    basis: int = 8
    coefs: int = 8

    def __post_init__(self) -> None:
        for name, bits in (("basis", self.basis), ("coefficient", self.coefs)):
            if type(bits) is not int or bits not in RANGE:
                raise UsageError(f"{bits} {name} bits; {RANGE.start} to {RANGE.stop - 1} are possible")

    def __str__(self) -> str:
        return f"{self.basis}/{self.coefs}"

    @staticmethod
    def parse(text: str) -> Bits:
        """`4/3`: 4 bits for bases, 3 for coefficients."""
        parts = text.split("/")
        if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) < 4 for part in parts):
            raise UsageError(f"'{text}' is not a pair of widths; write BASIS/COEFFICIENTS, such as 8/4")
        return Bits(*map(int, parts))


LayerBits = Mapping[str, Bits]


def layers_of(graph: Graph) -> tuple[str, ...]:
    """The layers of a float network that have weights, in order."""
    return tuple(node.name for node in graph if isinstance(node.op, Conv | PenniConv | Linear))


def parse(text: str, layers: Iterable[str]) -> dict[str, Bits]:
    """Entries separated by commas: `LAYER=BASIS/COEFFICIENTS`, and one without a layer for all others (else 8/8).

    -> the widths of every one of `layers`. UsageError names the entry that is wrong.
    """
    given: dict[str, Bits] = {}
    for entry in text.split(","):
        name, _, pair = entry.strip().rpartition("=")
        if name in given:
            raise UsageError(f"'{entry.strip()}': {f'layer {name}' if name else 'all other layers'} given twice")
        given[name] = Bits.parse(pair)
    return complete(given, layers, given.pop("", Bits()))


def complete(given: LayerBits, layers: Iterable[str], others: Bits) -> dict[str, Bits]:
    """The widths of every one of `layers`: `given`, or `others`. UsageError for a layer that is not there."""
    names = tuple(layers)
    for name in given:
        if name not in names:
            raise UsageError(f"'{name}' is no layer with weights of this network; 'penni-hls inspect' lists them")
    return {name: given.get(name, others) for name in names}


def written(bits: LayerBits) -> str:
    """The shortest text that `parse` reads as `bits`."""
    pairs = list(bits.values())
    common = max(dict.fromkeys(pairs), key=pairs.count)
    return ",".join((str(common), *(f"{name}={pair}" for name, pair in bits.items() if pair != common)))
