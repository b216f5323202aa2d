"""insert_forks: a stream has one reader; a map with several readers goes through a fork, or through several in a row."""

from __future__ import annotations

from dataclasses import replace

from ..ir.graph import Graph, Node
from ..ir.ops import Fork
from ..ir.ops.fork import MOST


def insert_forks(graph: Graph) -> Graph:
    """Each map that is read several times gets a Fork right after it, named after the block that its readers share. Of more
    than MOST readers, the last ones read from a further fork, which is one of the first's readers."""
    fork_of: dict[str, list[str]] = {}  # by map: the fork of each reader that is still to come
    taken = set(graph.by_name)
    nodes: list[Node] = []
    for node in graph:
        inputs = tuple(fork_of[name].pop(0) if name in fork_of else name for name in node.inputs)
        nodes.append(replace(node, inputs=inputs))
        readers, source, waiting = graph.readers[node.name], node.name, []
        while len(readers) > 1:
            name = _fork_name(node.name, readers, taken)
            taken.add(name)
            nodes.append(Node(name, Fork(node.op.out_spec, min(len(readers), MOST)), (source,)))
            own = len(readers) if len(readers) <= MOST else MOST - 1
            waiting += [name] * own
            readers, source = readers[own:], name
        if waiting:
            fork_of[node.name] = waiting
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
