"""The accelerator seen from outside, the same in C++ and RTL: names, ports and the words that cross them.

Pixels come in at `s_axis`, results leave at `m_axis`. An operator's external ports follow, named after it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ..ir.fixed import QType
from ..ir.graph import TensorSpec
from ..ir.ops.external import External
from ..ir.streams import Stream
from ..schedule import Schedule
from .templates import identifier

TOP = "penni_top"
INPUT, OUTPUT = "s_axis", "m_axis"
LOGIT = QType(32, signed=True)  # a result at the output port: sign-extended

Kind = Literal["stream_in", "stream_out", "memory"]


@dataclass(frozen=True)
class TopPort:
    """A port of the top. bits: of a word; words: of a frame (stream), or in all (memory).

    node, external: the operator that brings it, and what it is there; None for pixels and results.
    """

    name: str
    kind: Kind
    bits: int
    words: int
    node: str | None = None
    external: External | None = None

    def as_dict(self) -> dict[str, str | int]:
        """What a script needs in order to drive the port."""
        return {"name": self.name, "kind": self.kind, "bits": self.bits, "words": self.words}


def result_shape(output: TensorSpec) -> tuple[int, ...]:
    """Of one image's result, as users see it: (classes,), or (H, W, C) of a network whose result is a map."""
    return output.shape[2:] if output.pixels == 1 else output.shape


def pixel_stream(schedule: Schedule) -> Stream:
    """What the port of the pixels carries."""
    (port,) = schedule.graph.input.op.outputs(schedule.foldings[schedule.graph.input.name])
    return port.stream


def ports(schedule: Schedule) -> tuple[TopPort, ...]:
    """Every port of the top but clock and reset. ValueError where pixels or results do not fit their ports."""
    pixels, results = schedule.graph.input.op.out_spec, schedule.graph.output.op.out_spec
    beats = pixel_stream(schedule)
    if pixels.qtype.bits != 8 or results.qtype.bits > LOGIT.bits:
        raise ValueError(f"the ports carry 8-bit pixels and {LOGIT.bits}-bit results, not {pixels} and {results}")
    network = (
        TopPort(INPUT, "stream_in", beats.bits, beats.beats_per_frame),
        TopPort(OUTPUT, "stream_out", LOGIT.bits, math.prod(results.shape)),
    )
    brought = (
        external_port(node.name, external)
        for node in schedule.instances
        for external in node.op.externals(schedule.foldings[node.name])
    )
    return (*network, *brought)


def external_port(node: str, external: External) -> TopPort:
    """The port of the top that `external` of operator `node` becomes."""
    prefix, kind = ("s_axis", "stream_in") if external.protocol == "stream" else ("m_axi", "memory")
    name = f"{prefix}_{identifier(node)}_{external.name}"
    return TopPort(name, kind, external.contents.width, external.contents.depth, node, external)
