"""fuse: merge the skip addition and the ReLU or clip behind a Fused into it; the requantizer computes them."""

from __future__ import annotations

from dataclasses import replace

from ..ir.graph import Graph, Node
from ..ir.layers import Add, Clip, Relu
from .fused import Fused, identity


def fuse(graph: Graph) -> Graph:
    """Merge Add, Relu and Clip into the only node that feeds them.

    An add goes into the first of its two inputs that ends in a bare convolution or Scale; that node moves to the add's
    place, since it now waits for the skip connection too. Where there is none, the add becomes a Scale by 1 with a skip
    connection. A Relu or Clip that reads anything else, or a map that others read too, stays: as a Clip.
    """
    return _merge_clips(_merge_adds(graph))


def _merge_adds(graph: Graph) -> Graph:
    hosts: dict[str, tuple[str, str]] = {}  # add -> (the node that absorbs it, the skip)
    for node in graph:
        if isinstance(node.op, Add):
            for host, skip in (node.inputs, node.inputs[::-1]):
                op = graph.by_name[host].op
                if isinstance(op, Fused) and not op.skip and not op.relu and len(graph.readers[host]) == 1:
                    hosts[node.name] = (host, skip)
                    break
    moved = {host for host, _ in hosts.values()}
    renamed = {add: host for add, (host, _) in hosts.items()}
    nodes = []
    for node in graph:
        if node.name in hosts:
            host, skip = hosts[node.name]
            old = graph.by_name[host]
            inputs = (*old.inputs, skip)
            nodes.append(Node(host, replace(old.op, skip=True), tuple(renamed.get(i, i) for i in inputs)))
        elif isinstance(node.op, Add):
            summed = replace(identity(node.op.x), skip=True)
            nodes.append(Node(node.name, summed, tuple(renamed.get(i, i) for i in node.inputs)))
        elif node.name not in moved:
            nodes.append(replace(node, inputs=tuple(renamed.get(i, i) for i in node.inputs)))
    return Graph(tuple(nodes))


def _merge_clips(graph: Graph) -> Graph:
    renamed: dict[str, str] = {}
    nodes: dict[str, Node] = {}
    for node in graph:
        op = Clip(node.op.x, 0.0) if isinstance(node.op, Relu) else node.op
        inputs = tuple(renamed.get(i, i) for i in node.inputs)
        host = nodes[inputs[0]] if isinstance(op, Clip) and len(graph.readers[node.inputs[0]]) == 1 else None
        if host is not None and isinstance(host.op, Fused | Clip):
            lo, hi = op.after(host.op.lo, host.op.hi)
            if lo is not None and lo == hi:
                raise ValueError(f"{node.name}: it clips what {host.name} gives to one value, {lo:g}; widen its bounds")
            nodes[host.name] = replace(host, op=replace(host.op, lo=lo, hi=hi))
            renamed[node.name] = host.name
        else:
            nodes[node.name] = Node(node.name, op, inputs)
    return Graph(tuple(nodes.values()))
