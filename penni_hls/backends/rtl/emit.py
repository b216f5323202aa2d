"""Schedule -> rtl/: one wrapper per node, the top that joins them, the hand-written modules, memory images, a file list.

A wrapper `penni_i_<node>` holds one operator with its parameters, memory images and generated submodule, so that each
can be simulated and synthesized alone. Memory images are named without a folder: run tools where they lie.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...files import HW
from ...ir.graph import Graph, Node
from ...ir.ops.base import Folding, Operator
from ...ir.streams import Port
from ...schedule import Link, Schedule
from ...target.memory import BLOCK
from ..templates import identifier, render
from ..top import INPUT, OUTPUT, TopPort, external_port, ports
from .adders import AddersView, adders_view
from .signals import signals


@dataclass(frozen=True)
class PortView:
    name: str
    width: int


@dataclass(frozen=True)
class Parameter:
    name: str
    value: str


@dataclass(frozen=True)
class SignalView:
    """A signal of an external port: of the operator's module, and of the top. direction, range: as they are declared."""

    port: str
    wire: str
    direction: str
    range: str


@dataclass(frozen=True)
class InstanceView:
    title: str
    module: str
    primitive: str
    kind: str
    sinks: tuple[PortView, ...]
    unused_sinks: tuple[str, ...]
    copies_range: str
    out_width: int
    parameters: tuple[Parameter, ...]
    adders: AddersView | None
    externals: tuple[SignalView, ...]


@dataclass(frozen=True)
class StreamView:
    """A stream in the top: the names of its three signals; of an operator with several readers, the one that is meant."""

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
    readers: int
    sinks: tuple[Connection, ...]
    externals: tuple[SignalView, ...]


@dataclass(frozen=True)
class FifoView:
    name: str
    width: int
    depth: int
    block: int
    source: StreamView


def instance_module(name: str) -> str:
    """The module of node `name`, standing in a file of that name."""
    return f"penni_i_{identifier(name)}"


def memory_file(name: str, memory: str) -> str:
    return f"{instance_module(name)}_{memory}.mem"


def fifo_name(schedule: Schedule, link: Link) -> str:
    """The instance of a link's FIFO is u_<this>."""
    node = schedule.graph.by_name[link.dst]
    return f"fifo_{identifier(link.dst)}_{node.op.inputs(schedule.foldings[node.name])[link.port].name}"


def emit_rtl(schedule: Schedule, counters: bool = False) -> dict[str, str]:
    """Every file of rtl/, by its path in the generated project. counters: the top tells what each operator waits for."""
    files = hand_written()
    for node in schedule.instances:
        files |= emit_instance(node, schedule.foldings[node.name])
    files["rtl/penni_top.sv"] = _top(schedule, counters)
    files["rtl/filelist.f"] = "".join(
        f"{path.removeprefix('rtl/')}\n" for path in sorted(files) if path.endswith(".sv")
    )
    return files


def hand_written() -> dict[str, str]:
    """The modules that are the same for every network."""
    return {f"rtl/{path.name}": path.read_text() for path in sorted((HW / "rtl").glob("*.sv"))}


def emit_instance(node: Node[Operator], folding: Folding) -> dict[str, str]:
    """Wrapper, generated submodule and memory images of one node."""
    module = instance_module(node.name)
    memories = node.op.memories(folding)
    view = _instance(node, folding, module, memories)
    files = {f"rtl/{module}.sv": render("rtl/instance.sv.j2", view=view)}
    if view.adders is not None:
        files[f"rtl/{view.adders.module}.sv"] = render("rtl/adders.sv.j2", view=view.adders)
    for name, memory in memories.items():
        files[f"rtl/mem/{memory_file(node.name, name)}"] = memory.hex()
    return files


def _instance(node: Node[Operator], folding: Folding, module: str, memories: Iterable[str]) -> InstanceView:
    op = node.op
    sums = op.sums(folding)
    parameters = [Parameter(name, str(value)) for name, value in op.parameters(folding).items()]
    for name in memories:
        parameters.append(Parameter(f"{name.upper()}_FILE", f'"{memory_file(node.name, name)}"'))
    return InstanceView(
        title=f"{node.name}: {op.kind}, {', '.join(map(str, op.in_specs))} to {op.out_spec}.",
        module=module,
        primitive=f"penni_{op.module(folding)}",
        kind=op.kind,
        sinks=_views(op.inputs(folding)),
        unused_sinks=op.unused_inputs(),
        copies_range=_copies_range(op),
        out_width=op.outputs(folding)[0].stream.bits,
        parameters=tuple(parameters),
        adders=None if sums is None else adders_view(sums, f"{module}_adders"),
        externals=_externals(node, folding),
    )


def _views(ports: tuple[Port, ...]) -> tuple[PortView, ...]:
    return tuple(PortView(port.name, port.stream.bits) for port in ports)


def _externals(node: Node[Operator], folding: Folding) -> tuple[SignalView, ...]:
    return tuple(
        SignalView(f"{external.name}_{signal.name.lower()}_{'o' if signal.output else 'i'}",
                   f"{port.name}_{signal.name}", signal.direction, signal.range)
        for external in node.op.externals(folding)
        for port in (external_port(node.name, external),)
        for signal in signals(port)
    )  # fmt: skip


def _copies_range(op: Operator) -> str:
    return f"[{op.readers - 1}:0] " if op.readers > 1 else ""


def _stream(graph: Graph[Operator], src: str, dst: str, port: int) -> StreamView:
    """The stream from node `src` into input number `port` of its reader `dst`."""
    name = identifier(src)
    copy = f"[{graph.reader(dst, port)}]" if graph.by_name[src].op.readers > 1 else ""
    return StreamView(f"{name}_valid{copy}", f"{name}_ready{copy}", f"{name}_data")


def sinks(schedule: Schedule, node: Node[Operator]) -> tuple[Connection, ...]:
    """What each input of a node is joined to in penni_top: a FIFO, or the stream that gives it."""
    links = {link.port: link for link in schedule.links if link.dst == node.name}
    found = []
    for index, (port, src) in enumerate(zip(node.op.inputs(schedule.foldings[node.name]), node.inputs)):
        if index in links:
            base = fifo_name(schedule, links[index])
            stream = StreamView(f"{base}_valid", f"{base}_ready", f"{base}_data")
        else:
            stream = _stream(schedule.graph, src, node.name, index)
        found.append(Connection(port.name, stream.valid, stream.ready, stream.data))
    return tuple(found)


def _top(schedule: Schedule, counters: bool) -> str:
    graph = schedule.graph
    wires, instances, fifos = [], [], []
    for node in graph:
        out = node.op.outputs(schedule.foldings[node.name])[0]
        wires.append(Wires(identifier(node.name), _copies_range(node.op), out.stream.bits))
    for link in schedule.links:
        name = fifo_name(schedule, link)
        wires.append(Wires(name, "", link.width))
        source = _stream(graph, link.src, link.dst, link.port)
        fifos.append(FifoView(name, link.width, link.depth, int(link.memory == BLOCK), source))
    for node in schedule.instances:
        externals = _externals(node, schedule.foldings[node.name])
        instances.append(
            InstanceUse(
                identifier(node.name), instance_module(node.name), node.op.readers, sinks(schedule, node), externals
            )
        )
    return render("rtl/penni_top.sv.j2", view=_top_view(schedule, wires, instances, fifos, counters))


def _top_view(schedule: Schedule, wires: list, instances: list, fifos: list, counters: bool) -> dict:
    graph, top = schedule.graph, {port.name: port for port in ports(schedule)}
    spec, out = graph.input.op.out_spec, graph.output.op.out_spec
    output = wires[len(graph.nodes) - 1]
    sign = f"{output.name}_data[{output.width - 1}]" if out.qtype.signed else "1'b0"
    extend = top[OUTPUT].bits - output.width
    return {
        "title": f"{spec} pixels to {out}",
        "beat": "one value" if (values := top[INPUT].bits // spec.qtype.bits) == 1 else f"{values} values",
        "signals": _signals(top),
        "counters": counters,
        "wires": wires, "instances": instances, "fifos": fifos,
        "input": identifier(graph.input.name), "output": output, "in_select": f"[{top[INPUT].bits - 1}:0]",
        "out_beats": top[OUTPUT].words,
        "out_value": f"{{{{{extend}{{{sign}}}}}, {output.name}_data}}" if extend else f"{output.name}_data",
    }  # fmt: skip


def _signals(top: dict[str, TopPort]) -> tuple[SignalView, ...]:
    return tuple(
        SignalView("", f"{port.name}_{signal.name}", signal.direction, signal.range)
        for port in top.values()
        for signal in signals(port)
    )


@dataclass(frozen=True)
class BenchOutput:
    name: str
    index: int


@dataclass(frozen=True)
class BenchDesign:
    """A design of a bench. Its ports are <name>_<sink>_valid_i, …, <name>_<output>_data_o."""

    name: str
    module: str
    sinks: tuple[PortView, ...]
    outputs: tuple[BenchOutput, ...]
    out_width: int
    externals: tuple[SignalView, ...]


def bench_design(node: Node[Operator], folding: Folding) -> BenchDesign:
    outputs = node.op.outputs(folding)
    return BenchDesign(
        identifier(node.name), instance_module(node.name), _views(node.op.inputs(folding)),
        tuple(BenchOutput(port.name, index) for index, port in enumerate(outputs)),
        outputs[0].stream.bits, _externals(node, folding),
    )  # fmt: skip


def emit_bench(module: str, designs: tuple[BenchDesign, ...]) -> str:
    """A module with all `designs` side by side."""
    return render("rtl/bench.sv.j2", view={"module": module, "designs": designs})
