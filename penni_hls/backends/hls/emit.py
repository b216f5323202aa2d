"""Schedule -> hls/: the Vitis HLS C++ of a network, its weights, its test bench and the script for the vendor's tool.

Here are only the views that the templates in templates/hls see; what an operator does, hw/hls/penni_<stem>.hpp says.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ...files import HW
from ...ir import interpreter as golden
from ...ir.fixed import smallest_qtype
from ...ir.graph import Graph, Node, TensorSpec
from ...ir.ops import BasisConv
from ...ir.ops.base import Folding, HardwareOp, Memory
from ...ir.streams import beats, word_bits
from ...schedule import Schedule
from ..templates import identifier, render

TOP = "penni_top"
INPUT, OUTPUT = "s_axis", "m_axis"
LOGITS = "logits"  # the stream and the process before the output port
LOGIT_BITS = 32
BAMBU_CORE = "penni_core"  # what bambu calls the top: `penni_top` is the wrapper with the vendor's ports
VECTOR_FRAMES = 2
ROM_PIECE = 64  # a memory word wider than this is kept in pieces
LINE = 100


@dataclass(frozen=True)
class Stream:
    """A stream of the top: `name` in C++, from node `src` into input `port` of `dst`; q values a word of tiles."""

    name: str
    src: str
    dst: str
    port: int
    spec: TensorSpec
    q: int
    depth: int

    @property
    def bits(self) -> int:
        return word_bits(self.spec, self.q)

    @property
    def word(self) -> str:
        return f"penni::word<{self.bits}>"


@dataclass(frozen=True)
class Port:
    """A port of a top: `words` a frame."""

    name: str
    word: str
    words: int
    output: bool


@dataclass(frozen=True)
class Process:
    name: str
    function: str
    config: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Rom:
    """parts[i]: the lines of numbers of piece i, lowest first."""

    name: str
    width: int
    depth: int
    ctype: str
    parts: tuple[tuple[str, ...], ...]


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


@dataclass(frozen=True)
class Config:
    """The struct that an operator's function template is instantiated with."""

    name: str
    title: str
    constants: tuple[tuple[str, int], ...]
    roms: tuple[Rom, ...] = ()
    basis: Basis | None = None


@dataclass(frozen=True)
class Top:
    name: str
    headers: tuple[str, ...]
    configs: tuple[Config, ...]
    ports: tuple[Port, ...]
    streams: tuple[Stream, ...]
    processes: tuple[Process, ...]


def emit_hls(schedule: Schedule) -> dict[str, str | bytes]:
    """Every file under hls/, by its path in the project."""
    spec, out = schedule.graph.input.op.out_spec, schedule.graph.output.op.out_spec
    if spec.qtype.bits != 8 or out.qtype.bits > LOGIT_BITS:
        raise ValueError(f"the ports carry 8-bit pixels and {LOGIT_BITS}-bit logits, not {spec} and {out}")
    layers = [_config(node.name, node.op, schedule.foldings[node.name]) for node in schedule.instances]
    files: dict[str, str | bytes] = {**_sources([_network_top(schedule)]), **_layer_files(layers)}
    period = f"{1000 / schedule.board.clock_mhz:.3f}"
    files["hls/build.tcl"] = render("hls/build.tcl.j2", board=schedule.board, period=period, frames=VECTOR_FRAMES)
    files["hls/bambu/penni_top.v"] = render("hls/bambu_top.v.j2", core=BAMBU_CORE, words=math.prod(out.shape))
    return {**files, **_vectors(schedule.graph)}


def emit_operators(operators: Mapping[str, tuple[HardwareOp, Folding]]) -> dict[str, str | bytes]:
    """The same for operators alone: each is a top of its own, `operator_top(name)`, with ports in0…, out0…"""
    _check_names(operators)
    layers = [_config(name, op, folding) for name, (op, folding) in operators.items()]
    return {**_sources([_operator_top(name, *operators[name]) for name in operators]), **_layer_files(layers)}


def operator_top(name: str) -> str:
    """The C++ name of an operator's own top."""
    return f"top_{identifier(name)}"


def streams(schedule: Schedule) -> tuple[Stream, ...]:
    """Every stream inside the top, in graph order: one an edge, and the one before the output port.

    Map edges are as deep as their links; a tile edge holds two channels of a group (2·d words), so that neither side
    waits for the other within a channel.
    """
    graph, depths = schedule.graph, {(link.dst, link.port): link.depth for link in schedule.links}
    result = []
    for node in schedule.instances:
        for port, (src, spec) in enumerate(zip(node.inputs, node.op.in_specs)):
            if src == graph.input.name:
                continue
            depth = 2 * spec.shape[3] if spec.tiled else depths[node.name, port]
            name = f"{identifier(src)}_to_{identifier(node.name)}" + (f"_{port}" if port else "")
            result.append(Stream(name, src, node.name, port, spec, schedule.foldings[node.name].q, depth))
    result.append(Stream(LOGITS, graph.output.name, OUTPUT, 0, graph.output.op.out_spec, 1, 2))
    return tuple(result)


def _network_top(schedule: Schedule) -> Top:
    graph = schedule.graph
    _check_names([node.name for node in graph])
    _check_readers(graph)
    inner = streams(schedule)
    into = {(stream.dst, stream.port): stream.name for stream in inner}
    spec, out = graph.input.op.out_spec, graph.output.op.out_spec
    processes = []
    for node in schedule.instances:
        ins = [into.get((node.name, port), INPUT) for port in range(len(node.inputs))]
        outs = [stream.name for stream in inner if stream.src == node.name]
        processes.append(_process(node.name, node.op, ins, outs))
    count = math.prod(out.shape)
    sink = Config(f"{LOGITS}_config", "", _constants(COUNT=count, XW=out.qtype.bits, X_SIGNED=int(out.qtype.signed)))
    processes.append(Process(LOGITS, "penni::send_logits", sink.name, (LOGITS, OUTPUT)))
    ports = (
        Port(INPUT, f"penni::word<{spec.qtype.bits}>", math.prod(spec.shape), False),
        Port(OUTPUT, "penni::logit", count, True),
    )
    return Top(TOP, _headers(schedule.instances), (sink,), ports, inner, tuple(processes))


def _operator_top(name: str, op: HardwareOp, folding: Folding) -> Top:
    def port(label: str, spec: TensorSpec, output: bool) -> Port:
        words = beats(np.zeros((1, *spec.shape), np.int8), spec, folding.q).shape[0]
        return Port(label, f"penni::word<{word_bits(spec, folding.q)}>", words, output)

    ins = [port(f"in{i}", spec, False) for i, spec in enumerate(op.in_specs)]
    outs = [port(f"out{i}", op.out_spec, True) for i in range(getattr(op, "copies", 1))]
    process = _process(name, op, [p.name for p in ins], [p.name for p in outs])
    return Top(operator_top(name), _headers([Node(name, op)]), (), (*ins, *outs), (), (process,))


def _process(name: str, op: HardwareOp, ins: list[str], outs: list[str]) -> Process:
    """Every operator's function takes its first input, its outputs, then its other inputs."""
    return Process(name, f"penni::{op.stem}", _config_name(name), (ins[0], *outs, *ins[1:]))


def _headers(nodes: Iterable[Node[HardwareOp]]) -> tuple[str, ...]:
    nodes = tuple(nodes)
    stems = sorted({node.op.stem for node in nodes})
    return (*(f"penni_{stem}.hpp" for stem in stems), *(f"layers/{identifier(node.name)}.hpp" for node in nodes))


def _check_names(names: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(identifier(name), name)
        if other != name:
            raise ValueError(f"the names {other} and {name} are one in C++")


def _check_readers(graph: Graph[HardwareOp]) -> None:
    for name, readers in graph.readers.items():
        copies = getattr(graph.by_name[name].op, "copies", 1)
        if name != graph.output.name and len(readers) != copies:
            raise ValueError(f"{name}: {len(readers)} operators read it, it gives {copies} streams; a fork is needed")


def _config_name(name: str) -> str:
    return f"{identifier(name)}_config"


def _constants(**values: int) -> tuple[tuple[str, int], ...]:
    return tuple(values.items())


def _config(name: str, op: HardwareOp, folding: Folding) -> Config:
    roms = tuple(_rom(rom, memory) for rom, memory in op.memories(folding).items())
    basis = _basis(op) if isinstance(op, BasisConv) else None
    title = f"{name}: {op.stem}, q = {folding.q}, p = {folding.p}"
    return Config(_config_name(name), title, _constants(**op.parameters(folding)), roms, basis)


def _rom(name: str, memory: Memory) -> Rom:
    count = -(-memory.width // ROM_PIECE)
    piece = -(-memory.width // count)
    mask = (1 << piece) - 1
    size = next(size for size in (8, 16, 32, 64) if piece <= size)
    parts = tuple(_lines([(word >> (i * piece)) & mask for word in memory.words]) for i in range(count))
    return Rom(name, memory.width, memory.depth, f"uint{size}_t", parts)


def _lines(numbers: list[int]) -> tuple[str, ...]:
    """Numbers with commas, in lines of about LINE characters."""
    texts = [f"{number}u," if number >> 31 else f"{number}," for number in numbers]
    per_line = max(1, LINE // max(len(text) for text in texts))
    return tuple("".join(texts[at : at + per_line]) for at in range(0, len(texts), per_line))


def _ctype(bits: int, signed: bool) -> str:
    return f"penni::integer<{bits}, {'true' if signed else 'false'}>"


def _basis(op: BasisConv) -> Basis:
    graph, z = op.adders, op.z_type

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
    for out, shift in zip(graph.outputs, op.shifts):
        half = (1 << shift) >> 1
        wide = smallest_qtype(min(-1, out.lo), out.hi + half).bits
        name = None if out.source is None else source(out.source)
        outputs.append(OutputView(name, _ctype(out.qtype.bits, out.qtype.signed), out.shift, wide, shift))
    x = op.x.qtype
    return Basis(
        graph.inputs, _ctype(x.bits, x.signed), _ctype(z.bits, z.signed), z.bits, int(z.signed), adders, tuple(outputs)
    )


def _layer_files(configs: Iterable[Config]) -> dict[str, str]:
    return {
        f"hls/layers/{config.name.removesuffix('_config')}.hpp": render("hls/layer.hpp.j2", config=config)
        for config in configs
    }


def _sources(tops: list[Top]) -> dict[str, str]:
    """The tops, what the test bench knows of them, and the files that are the same for every network."""
    files = {f"hls/{top.name}.cpp": render("hls/penni_top.cpp.j2", top=top) for top in tops}
    files["hls/penni_top.hpp"] = render("hls/penni_top.hpp.j2", tops=tops)
    files["hls/penni_ports.hpp"] = render("hls/penni_ports.hpp.j2", tops=tops)
    return {**files, **_library()}


@functools.cache
def _library() -> dict[str, str]:
    root = HW / "hls"
    paths = sorted(path for path in root.rglob("*") if path.suffix in (".hpp", ".cpp", ".h"))
    return {f"hls/{path.relative_to(root).as_posix()}": path.read_text(encoding="utf-8") for path in paths}


def _vectors(graph: Graph[HardwareOp]) -> dict[str, bytes]:
    """Random frames and what must come out, for a C simulation without Python."""
    spec = graph.input.op.out_spec
    rng = np.random.default_rng(0)
    images = rng.integers(spec.qtype.lo, spec.qtype.hi + 1, (VECTOR_FRAMES, *spec.shape)).astype(spec.qtype.dtype)
    logits = golden.run(graph, images, keep=())[graph.output.name].values
    return {
        f"hls/vectors/{INPUT}.bin": images.tobytes(),
        f"hls/vectors/{OUTPUT}.expect.bin": logits.reshape(VECTOR_FRAMES, -1).astype("<i4").tobytes(),
    }
