"""A save file for GTKWave: of a simulated penni_top the streams of each operator, in a group of its own.

The format: a flag word `@hex` says how the lines after it are shown (gtkwave's analyzer.h: TR_HEX 2, TR_DEC 4, TR_BIN 8,
TR_RJUSTIFY 0x20, TR_BLANK 0x200, TR_GRP_BEGIN 0x800000, TR_CLOSED 0x400000, TR_GRP_END 0x1000000).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...ir.graph import Node
from ...ir.ops.base import Operator
from ...schedule import Schedule
from ..templates import identifier
from ..top import INPUT, LOGIT, OUTPUT, TOP, pixel_stream
from .emit import fifo_name, sinks

ZOOM = -8  # 2^8 steps of time, 26 cycles of the bench, between two lines of the grid
BIT, HEX, DECIMAL = "@28", "@22", "@24"
BEGIN, BEGIN_CLOSED, END, END_CLOSED = "@800200", "@c00200", "@1000200", "@1401200"


def save_file(schedule: Schedule, dump: Path) -> str:
    """The save file for the waveforms in `dump`: the ports open, a closed group for each operator in graph order. A group
    has what the operator waits for, and of each input its stream and how many words its FIFO holds."""
    head = (f'[dumpfile] "{dump.resolve()}"', "[timestart] 0", f"*{ZOOM:.6f} -1", "[sst_expanded] 0")
    ports = (
        *_group(
            "ports",
            (*_bits("ap_clk", "ap_rst_n"), *_axis(INPUT, pixel_stream(schedule).bits), *_axis(OUTPUT, LOGIT.bits)),
            closed=False,
        ),
    )
    groups = (
        line
        for node in schedule.instances
        for line in _group(f"{node.name}: {node.op.kind}", tuple(_operator(schedule, node)), closed=True)
    )
    return "\n".join((*head, *ports, *groups)) + "\n"


def _group(name: str, lines: tuple[str, ...], closed: bool) -> tuple[str, ...]:
    return (BEGIN_CLOSED if closed else BEGIN, f"-{name}", *lines, END_CLOSED if closed else END, f"-{name}")


def _bits(*names: str) -> tuple[str, ...]:
    return (BIT, *(f"{TOP}.{name}" for name in names))


def _word(name: str, bits: int, form: str = HEX) -> tuple[str, ...]:
    return (form, f"{TOP}.{name}[{bits - 1}:0]") if bits > 1 else _bits(name)


def _axis(port: str, bits: int) -> tuple[str, ...]:
    return (*_bits(f"{port}_TVALID", f"{port}_TREADY"), *_word(f"{port}_TDATA", bits))


def _operator(schedule: Schedule, node: Node[Operator]) -> Iterator[str]:
    name, folding = identifier(node.name), schedule.foldings[node.name]
    activity = f"gen_activity_{name}.u_activity"
    yield from _bits(f"{activity}.starved_q", f"{activity}.blocked_q")
    links = {link.port: link for link in schedule.links if link.dst == node.name}
    for index, (port, sink) in enumerate(zip(node.op.inputs(folding), sinks(schedule, node))):
        readers = schedule.graph.by_name[node.inputs[index]].op.readers if index not in links else 1
        yield from _stream(sink.valid, sink.ready, sink.data, port.stream.bits, readers)
        if index in links:
            yield from _word(f"u_{fifo_name(schedule, links[index])}.gen_track.held_q", 32, DECIMAL)
    out = node.op.outputs(folding)[0]
    yield from _stream(f"{name}_valid", f"{name}_ready", f"{name}_data", out.stream.bits, node.op.readers)


def _stream(valid: str, ready: str, data: str, bits: int, readers: int) -> Iterator[str]:
    """valid and ready may be an element of a vector, with one for each of several readers: GTKWave shows all of it."""
    for name in (valid, ready):
        yield from _word(name.split("[")[0], readers, "@28")
    yield from _word(data, bits)
