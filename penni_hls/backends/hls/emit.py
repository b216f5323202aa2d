"""Schedule -> hls/: the Vitis HLS C++ of a network, its weights, its test bench and the script for the vendor's tool.

Here are only the views that the templates in templates/hls see; what an operator does, hw/hls/penni_<kind>.hpp says.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...files import HW
from ...ir import interpreter
from ...ir.fixed import QType
from ...ir.graph import Graph
from ...ir.images import frames_of
from ...ir.ops.base import Folding, Operator
from ...ir.ops.memory import Memory
from ...ir.streams import Port, Stream
from ...schedule import Schedule
from ...target.memory import BLOCK, LUT, ULTRA, MemoryStyle
from ..templates import identifier, render
from ..top import INPUT, OUTPUT, TOP, TopPort, external_port, ports
from ..words import memory_bytes
from .adders import Basis, basis_view
from .wrappers import bambu_top

PIXELS = "pixels"  # the stream behind the input port
LOGITS = "logits"  # the stream and the process before the output port
VECTOR_PIXELS = 1 << 20  # of both test images of a project; of larger ones there is one
ROM_PIECE = 64  # a memory word wider than this is kept in pieces
LINE = 100
IMPL = {LUT: "lutram", BLOCK: "bram", ULTRA: "uram"}  # what Vitis HLS calls them
TILES = 16  # words that a tile edge holds


@dataclass(frozen=True)
class Edge:
    """A stream of the top: `name` in C++, from node `src` into input number `port` of `dst`."""

    name: str
    src: str
    dst: str
    port: int
    stream: Stream
    depth: int

    @property
    def bits(self) -> int:
        return self.stream.bits

    @property
    def word(self) -> str:
        return _word(self.bits)


@dataclass(frozen=True)
class PortView:
    """A port of a top: a stream of `words` per call, in packets of an image each, or an array of that many."""

    name: str
    word: str
    words: int
    packet: int
    output: bool
    memory: bool = False


@dataclass(frozen=True)
class Process:
    """A function that the top calls. part: of an operator that is several processes, this one's name; `whole` says that it
    is all of such an operator, for compilers that cannot split it. frames: of which a call of the top takes so many."""

    name: str
    function: str
    config: str
    arguments: tuple[str, ...]
    frames: int = 1
    part: str = ""
    whole: bool = False

    @property
    def call(self) -> str:
        """With the function that runs it `frames` times, where there is one."""
        return self.looped if self.frames > 1 else f"{self.function}<{self.config}>"

    @property
    def looped(self) -> str:
        return f"{self.config.removesuffix('_config')}{'_' * bool(self.part)}{self.part}_frames"

    @property
    def macro(self) -> str:
        return "PENNI_WHOLE" if self.whole else "PENNI_PART" if self.part else "PENNI_PROCESS"


@dataclass(frozen=True)
class BlocksView:
    """Blocks between two processes of an operator: `depth` of the C++ type `block`, each `lanes` memories of kind `impl`."""

    block: str
    name: str
    depth: int
    lanes: int
    impl: str


@dataclass(frozen=True)
class Rom:
    """parts[i]: the lines of numbers of piece i, lowest first. impl: what it is made of; None: the compiler's choice."""

    name: str
    width: int
    depth: int
    ctype: str
    parts: tuple[tuple[str, ...], ...]
    impl: str | None = None


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
    ports: tuple[PortView, ...]
    streams: tuple[Edge, ...]
    blocks: tuple[BlocksView, ...]
    processes: tuple[Process, ...]


def emit_hls(schedule: Schedule) -> dict[str, str | bytes]:
    """Every file under hls/, by its path in the project."""
    layers = [_config(node.name, node.op, schedule.foldings[node.name]) for node in schedule.instances]
    files: dict[str, str | bytes] = {**_sources([_network_top(schedule)]), **_layer_files(layers)}
    period = f"{1000 / schedule.board.clock_mhz:.3f}"
    files["hls/build.tcl"] = render(
        "hls/build.tcl.j2", board=schedule.board, period=period, frames=_frames(schedule), top=TOP
    )
    files["hls/bambu/penni_top.v"] = bambu_top(ports(schedule), TOP)
    return {**files, **_vectors(schedule)}


def emit_operators(operators: Mapping[str, tuple[Operator, Folding]]) -> dict[str, str | bytes]:
    """The same for operators alone: each is a top of its own, `operator_top(name)`, with ports in0…, out0…"""
    _check_names(operators)
    layers = [_config(name, op, folding) for name, (op, folding) in operators.items()]
    return {**_sources([_operator_top(name, *operators[name]) for name in operators]), **_layer_files(layers)}


def operator_top(name: str) -> str:
    """The C++ name of an operator's own top."""
    return f"top_{identifier(name)}"


def streams(schedule: Schedule) -> tuple[Edge, ...]:
    """Every stream inside the top, in graph order: one per edge, the one behind the input port among them, and the one
    before the output port.

    Map edges are as deep as their links; a tile edge holds about two channels of a group, so that neither side waits for
    the other within a channel.
    """
    graph, depths = schedule.graph, {(link.dst, link.port): link.cpp_depth for link in schedule.links}
    result = []
    for node in schedule.instances:
        for index, (src, port) in enumerate(zip(node.inputs, node.op.inputs(schedule.foldings[node.name]))):
            if not graph.by_name[src].op.hardware:
                result.append(Edge(PIXELS, src, node.name, index, port.stream, 2))
                continue
            spec = port.stream.spec
            depth = TILES if spec.tiled else depths[node.name, index]
            name = f"{identifier(src)}_to_{identifier(node.name)}" + (f"_{index}" if index else "")
            result.append(Edge(name, src, node.name, index, port.stream, depth))
    result.append(Edge(LOGITS, graph.output.name, OUTPUT, 0, Stream(graph.output.op.out_spec), 2))
    return tuple(result)


def _network_top(schedule: Schedule) -> Top:
    graph = schedule.graph
    _check_names([node.name for node in graph])
    _check_readers(graph)
    inner, top = streams(schedule), ports(schedule)
    into = {(edge.dst, edge.port): edge.name for edge in inner}
    out = graph.output.op.out_spec
    modules, frames, blocks, processes = {}, frames_of(graph), [], []
    for node in schedule.instances:
        folding = schedule.foldings[node.name]
        ins = [into[node.name, port] for port in range(len(node.inputs))]
        outs = [edge.name for edge in inner if edge.src == node.name]
        brought = [port.name for port in top if port.node == node.name]
        modules[node.name] = node.op.module(folding)
        blocks += _blocks(node.name, node.op, folding).values()
        made = _processes(node.name, node.op, folding, ins, outs, brought)
        processes += [replace(process, frames=frames[node.name]) for process in made]
    count = _by_name(top)[OUTPUT].words
    source = _port_config(PIXELS, _by_name(top)[INPUT].words, schedule.copies, QType(_by_name(top)[INPUT].bits, False))
    sink = _port_config(LOGITS, count, schedule.copies, out.qtype)
    processes.insert(0, Process(PIXELS, "penni::receive", source.name, (INPUT, PIXELS)))
    processes.append(Process(LOGITS, "penni::send_logits", sink.name, (LOGITS, OUTPUT)))
    ports_of_top = tuple(_port(port, 1 if port.external else schedule.copies) for port in top)
    return Top(TOP, _headers(modules), (source, sink), ports_of_top, inner, tuple(blocks), tuple(processes))


def _port_config(name: str, count: int, images: int, qtype: QType) -> Config:
    constants = _constants(COUNT=count, IMAGES=images, XW=qtype.bits, X_SIGNED=int(qtype.signed))
    return Config(f"{name}_config", "", constants)


def _by_name(top: tuple[TopPort, ...]) -> dict[str, TopPort]:
    return {port.name: port for port in top}


def _port(port: TopPort, images: int = 1) -> PortView:
    """images: that a call of the top takes and gives."""
    output = port.kind == "stream_out"
    word = "penni::logit" if output else _word(port.bits)
    return PortView(port.name, word, images * port.words, port.words, output, port.kind == "memory")


def _word(bits: int) -> str:
    return f"penni::word<{bits}>"


def _operator_top(name: str, op: Operator, folding: Folding) -> Top:
    def view(label: str, port: Port, output: bool) -> PortView:
        images, beats = op.gives if output else op.takes, port.stream.beats_per_frame
        return PortView(label, _word(port.stream.bits), images * beats, beats, output)

    ins = [view(f"in{i}", port, False) for i, port in enumerate(op.inputs(folding))]
    outs = [view(f"out{i}", port, True) for i, port in enumerate(op.outputs(folding))]
    brought = [_port(external_port(name, external)) for external in op.externals(folding)]
    names = ([port.name for port in group] for group in (ins, outs, brought))
    return Top(
        operator_top(name), _headers({name: op.module(folding)}), (), (*ins, *outs, *brought), (),
        tuple(_blocks(name, op, folding).values()), _processes(name, op, folding, *names),
    )  # fmt: skip


def _blocks(name: str, op: Operator, folding: Folding) -> dict[str, BlocksView]:
    """By the operator's own names of them."""
    types = f"penni::{op.module(folding)}_types<{_config_name(name)}>"
    return {
        blocks.name: BlocksView(
            f"{types}::{blocks.name}_block", f"{identifier(name)}_{blocks.name}", blocks.depth, blocks.lanes,
            IMPL[blocks.style],
        )
        for blocks in op.blocks(folding)
    }  # fmt: skip


def _processes(
    name: str, op: Operator, folding: Folding, ins: list[str], outs: list[str], externals: list[str]
) -> tuple[Process, ...]:
    """Every operator's function takes its first input, its outputs, its other inputs, its external ports; behind it, the
    parts that it has."""
    function, config = f"penni::{op.module(folding)}", _config_name(name)
    whole = Process(name, function, config, (ins[0], *outs, *ins[1:], *externals))
    parts = op.parts(folding)
    if not parts:
        return (whole,)
    named = {port.name: stream for port, stream in zip(op.inputs(folding), ins)}
    named |= {port.name: stream for port, stream in zip(op.outputs(folding), outs)}
    named |= {own: view.name for own, view in _blocks(name, op, folding).items()}
    split = (
        Process(
            f"{name} {part.name}",
            f"{function}_{part.name}",
            config,
            tuple(named[a] for a in part.arguments),
            1,
            part.name,
        )
        for part in parts
    )
    return (replace(whole, whole=True), *split)


def _headers(modules: Mapping[str, str]) -> tuple[str, ...]:
    """modules: of each operator, by its name."""
    functions = sorted(set(modules.values()))
    return (*(f"penni_{name}.hpp" for name in functions), *(f"layers/{identifier(name)}.hpp" for name in modules))


def _check_names(names: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(identifier(name), name)
        if other != name:
            raise ValueError(f"the names {other} and {name} are one in C++")


def _check_readers(graph: Graph[Operator]) -> None:
    for name, readers in graph.readers.items():
        copies = graph.by_name[name].op.readers
        if name != graph.output.name and len(readers) != copies:
            raise ValueError(f"{name}: {len(readers)} operators read it, it gives {copies} streams; a fork is needed")


def _config_name(name: str) -> str:
    return f"{identifier(name)}_config"


def _constants(**values: int) -> tuple[tuple[str, int], ...]:
    return tuple(values.items())


def _config(name: str, op: Operator, folding: Folding) -> Config:
    styles = op.rom_styles(folding)
    roms = tuple(_rom(rom, memory, styles.get(rom)) for rom, memory in op.memories(folding).items())
    sums = op.sums(folding)
    basis = None if sums is None else basis_view(sums)
    title = f"{name}: {op.kind}, {', '.join(f'{name} = {value}' for name, value in folding.choices().items())}"
    constants = _constants(**op.parameters(folding), **op.cpp_parameters(folding))
    return Config(_config_name(name), title, constants, roms, basis)


def _rom(name: str, memory: Memory, style: MemoryStyle | None) -> Rom:
    count = -(-memory.width // ROM_PIECE)
    piece = -(-memory.width // count)
    mask = (1 << piece) - 1
    size = next(size for size in (8, 16, 32, 64) if piece <= size)
    parts = tuple(_lines([(word >> (i * piece)) & mask for word in memory.words]) for i in range(count))
    return Rom(name, memory.width, memory.depth, f"uint{size}_t", parts, None if style is None else IMPL[style])


def _lines(numbers: list[int]) -> tuple[str, ...]:
    """Numbers with commas, in lines of about LINE characters."""
    texts = [f"{number}u," if number >> 31 else f"{number}," for number in numbers]
    per_line = max(1, LINE // max(len(text) for text in texts))
    return tuple("".join(texts[at : at + per_line]) for at in range(0, len(texts), per_line))


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


def _frames(schedule: Schedule) -> int:
    """Calls of the top for the test images in the project: two, so that one follows the other, unless they are large."""
    return 2 if 2 * schedule.graph.input.op.out_spec.pixels <= VECTOR_PIXELS else 1


def _vectors(schedule: Schedule) -> dict[str, bytes]:
    """Random frames, what external ports take, and what must come out, for a C simulation without Python."""
    graph = schedule.graph
    spec = graph.input.op.out_spec
    rng, frames = np.random.default_rng(0), _frames(schedule)
    images = rng.integers(spec.qtype.lo, spec.qtype.hi + 1, (frames * schedule.copies, *spec.shape)).astype(
        spec.qtype.dtype
    )
    logits = interpreter.output(graph, images).values
    brought = {port.name: memory_bytes(port.external.contents) for port in ports(schedule) if port.external}
    return {
        f"hls/vectors/{INPUT}.bin": images.tobytes(),
        **{f"hls/vectors/{name}.bin": frames * data for name, data in brought.items()},
        f"hls/vectors/{OUTPUT}.expect.bin": logits.reshape(len(images), -1).astype("<i4").tobytes(),
    }
