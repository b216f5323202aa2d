"""Schedule -> rtl/: one wrapper a node, the top that joins them, the hand-written modules, memory images, a file list.

A wrapper `penni_i_<node>` holds one operator with its parameters and memory images (and, for a basis convolution, its
adder
graph), so that each can be simulated and synthesized alone. Memory images are named without a folder: run tools where they lie.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...files import HW
from ...ir.graph import Graph, Node
from ...ir.ops import BasisConv, Fork, SparseMac
from ...ir.ops.base import Folding, HardwareOp
from ...ir.streams import word_bits
from ...schedule import Link, Schedule
from ...target.memory import in_block_ram
from ..templates import identifier, render
from .adders import AddersView, adders_view

SINKS = ("in", "skip")  # port names of an operator's inputs, in order


@dataclass(frozen=True)
class Sink:
    name: str
    width: int


@dataclass(frozen=True)
class Parameter:
    name: str
    value: str


@dataclass(frozen=True)
class InstanceView:
    title: str
    module: str
    primitive: str
    stem: str
    sinks: tuple[Sink, ...]
    copies_range: str
    out_width: int
    parameters: tuple[Parameter, ...]
    adders: AddersView | None
    tie_skip: bool


@dataclass(frozen=True)
class Stream:
    """A stream in the top: the names of its three signals; of a fork's copies, the one that is meant."""

    valid: str
    ready: str
    data: str


@dataclass(frozen=True)
class Wires:
    name: str
    copies_range: str
    width: int


@dataclass(frozen=True)
class Connection:
    port: str
    valid: str
    ready: str
    data: str


@dataclass(frozen=True)
class InstanceUse:
    name: str
    module: str
    sinks: tuple[Connection, ...]


@dataclass(frozen=True)
class FifoView:
    name: str
    width: int
    depth: int
    block: int
    source: Stream


def instance_module(name: str) -> str:
    """The module of node `name`, standing in a file of that name."""
    return f"penni_i_{identifier(name)}"


def memory_file(name: str, memory: str) -> str:
    return f"{instance_module(name)}_{memory}.mem"


def fifo_name(link: Link) -> str:
    """The instance of a link's FIFO is u_<this>."""
    return f"fifo_{identifier(link.dst)}_{SINKS[link.port]}"


def emit_rtl(schedule: Schedule) -> dict[str, str]:
    """Every file of rtl/, by its path in the generated project."""
    files = hand_written()
    for node in schedule.instances:
        files |= emit_instance(node, schedule.foldings[node.name])
    files["rtl/penni_top.sv"] = _top(schedule)
    files["rtl/filelist.f"] = "".join(
        f"{path.removeprefix('rtl/')}\n" for path in sorted(files) if path.endswith(".sv")
    )
    return files


def hand_written() -> dict[str, str]:
    """The modules that are the same for every network."""
    return {f"rtl/{path.name}": path.read_text() for path in sorted((HW / "rtl").glob("*.sv"))}


def emit_instance(node: Node[HardwareOp], folding: Folding) -> dict[str, str]:
    """Wrapper, adder graph and memory images of one node."""
    module = instance_module(node.name)
    view = _instance(node, folding, module)
    files = {f"rtl/{module}.sv": render("rtl/instance.sv.j2", view=view)}
    if view.adders is not None:
        files[f"rtl/{view.adders.module}.sv"] = render("rtl/adders.sv.j2", view=view.adders)
    for name, memory in node.op.memories(folding).items():
        files[f"rtl/mem/{memory_file(node.name, name)}"] = memory.hex()
    return files


def _instance(node: Node[HardwareOp], folding: Folding, module: str) -> InstanceView:
    op = node.op
    parameters = [Parameter(name, str(value)) for name, value in op.parameters(folding).items()]
    for name in op.memories(folding):
        parameters.append(Parameter(f"{name.upper()}_FILE", f'"{memory_file(node.name, name)}"'))
    return InstanceView(
        title=f"{node.name}: {op.stem}, {op.in_specs[0]} to {op.out_spec}.",
        module=module,
        primitive=f"penni_{op.stem}",
        stem=op.stem,
        sinks=tuple(Sink(name, word_bits(spec, folding.q)) for name, spec in zip(SINKS, op.in_specs)),
        copies_range=_copies_range(op),
        out_width=word_bits(op.out_spec, folding.q),
        parameters=tuple(parameters),
        adders=adders_view(op, f"{module}_adders") if isinstance(op, BasisConv) else None,
        tie_skip=isinstance(op, SparseMac) and op.skip is None,
    )


def _copies_range(op: HardwareOp) -> str:
    return f"[{op.copies - 1}:0] " if isinstance(op, Fork) else ""


def _stream(graph: Graph[HardwareOp], src: str, dst: str) -> Stream:
    """The stream from node `src` to its reader `dst`."""
    name = identifier(src)
    copy = f"[{graph.readers[src].index(dst)}]" if isinstance(graph.by_name[src].op, Fork) else ""
    return Stream(f"{name}_valid{copy}", f"{name}_ready{copy}", f"{name}_data")


def _top(schedule: Schedule) -> str:
    graph = schedule.graph
    links = {(link.dst, link.port): link for link in schedule.links}
    wires, instances, fifos = [], [], []
    for node in graph:
        q = schedule.foldings[node.name].q if node.name in schedule.foldings else 1
        wires.append(Wires(identifier(node.name), _copies_range(node.op), word_bits(node.op.out_spec, q)))
    for link in schedule.links:
        name = fifo_name(link)
        wires.append(Wires(name, "", link.width))
        fifos.append(
            FifoView(
                name, link.width, link.depth, in_block_ram(link.depth, link.width), _stream(graph, link.src, link.dst)
            )
        )
    for node in schedule.instances:
        sinks = []
        for port, src in enumerate(node.inputs):
            link = links.get((node.name, port))
            base = fifo_name(link) if link else None
            stream = (
                Stream(f"{base}_valid", f"{base}_ready", f"{base}_data") if base else _stream(graph, src, node.name)
            )
            sinks.append(Connection(SINKS[port], stream.valid, stream.ready, stream.data))
        instances.append(InstanceUse(identifier(node.name), instance_module(node.name), tuple(sinks)))
    return render("rtl/penni_top.sv.j2", view=_top_view(graph, wires, instances, fifos))


def _top_view(graph: Graph[HardwareOp], wires: list, instances: list, fifos: list) -> dict:
    spec, out = graph.input.op.out_spec, graph.output.op.out_spec
    in_bits, out_bytes = 8 * -(-spec.qtype.bits // 8), 4 * -(-out.qtype.bits // 32)
    output = wires[len(graph.nodes) - 1]
    sign = f"{output.name}_data[{output.width - 1}]" if out.qtype.signed else "1'b0"
    extend = 8 * out_bytes - output.width
    return {
        "title": f"{spec} pixels to {out}",
        "wires": wires, "instances": instances, "fifos": fifos,
        "input": identifier(graph.input.name), "output": output,
        "in_bits": in_bits,
        "in_select": f"[{spec.qtype.bits - 1}:0]",
        "in_unused": f"[{in_bits - 1}:{spec.qtype.bits}]" if in_bits > spec.qtype.bits else "",
        "out_bytes": out_bytes, "out_beats": out.pixels * out.shape[2],
        "out_value": f"{{{{{extend}{{{sign}}}}}, {output.name}_data}}" if extend else f"{output.name}_data",
    }  # fmt: skip


@dataclass(frozen=True)
class BenchOutput:
    name: str
    index: int


@dataclass(frozen=True)
class BenchDesign:
    """A design of a bench. Its ports are <name>_<sink>_valid_i, …, <name>_<output>_data_o."""

    name: str
    module: str
    sinks: tuple[Sink, ...]
    outputs: tuple[BenchOutput, ...]
    out_width: int


def bench_design(node: Node[HardwareOp], folding: Folding) -> BenchDesign:
    op = node.op
    outputs = [f"out{i}" for i in range(op.copies)] if isinstance(op, Fork) else ["out"]
    return BenchDesign(
        identifier(node.name), instance_module(node.name),
        tuple(Sink(name, word_bits(spec, folding.q)) for name, spec in zip(SINKS, op.in_specs)),
        tuple(BenchOutput(name, index) for index, name in enumerate(outputs)),
        word_bits(op.out_spec, folding.q),
    )  # fmt: skip


def emit_bench(module: str, designs: tuple[BenchDesign, ...]) -> str:
    """A module with all `designs` side by side."""
    return render("rtl/bench.sv.j2", view={"module": module, "designs": designs})
