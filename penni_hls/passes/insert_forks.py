"""insert_forks: a stream has one reader; a map with several readers goes through a fork."""

from __future__ import annotations

from dataclasses import replace

from ..ir.graph import Graph, Node
from ..ir.ops import Fork


def insert_forks(graph: Graph) -> Graph:
    """Each map that is read several times gets a Fork right after it, named after the block that its readers share."""
    fork_of: dict[str, str] = {}
    taken = set(graph.by_name)
    nodes: list[Node] = []
    for node in graph:
        nodes.append(replace(node, inputs=tuple(fork_of.get(name, name) for name in node.inputs)))
        readers = graph.readers[node.name]
        if len(readers) > 1:
            name = _fork_name(node.name, readers, taken)
            taken.add(name)
            fork_of[node.name] = name
            nodes.append(Node(name, Fork(node.op.out_spec, len(readers)), (node.name,)))
    return Graph(tuple(nodes))


def _fork_name(source: str, readers: tuple[str, ...], taken: set[str]) -> str:
    shared = []
    for parts in zip(*(reader.split(".") for reader in readers)):
        if len(set(parts)) > 1 or len(set(readers)) == 1:
            break
        shared.append(parts[0])
    own = f"{source}.fork"
    wanted = (".".join([*shared, "fork"]) if shared else own, own, *(f"{own}{n}" for n in range(len(taken))))
    return next(name for name in wanted if name not in taken)
