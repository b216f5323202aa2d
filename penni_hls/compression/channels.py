"""Which channels of a network are joined, constant or unread: the analysis behind `shrink`.

The network is traced to a graph. Each channel of each tensor gets a class; channels that must stay or go together
(through BatchNorm, ReLU, pooling, additions) share one. A channel's constant is its value where it is the same at
every pixel, NaN where it varies. What the analysis does not know pins its channels: they stay.
"""

from __future__ import annotations

import operator
from collections import Counter
from dataclasses import dataclass, field

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from ..errors import UsageError
from ..zoo.models import PadShortcut
from .decompose import PenniConv2d

POINTWISE = (
    nn.ReLU,
    nn.ReLU6,
    nn.Hardtanh,
    nn.SiLU,
    nn.GELU,
    nn.Sigmoid,
    nn.Tanh,
    nn.LeakyReLU,
    nn.Identity,
    nn.Dropout,
)
POINTWISE_FUNCTIONS = (F.relu, torch.relu, F.relu6, F.silu, torch.sigmoid, torch.tanh)
Reader = PenniConv2d | nn.Conv2d | nn.Linear


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the graph: for each channel its class and its constant, float64 (C,), NaN if it varies."""

    ids: list[int]
    constant: Tensor


@dataclass(frozen=True, eq=False)
class Read:
    """A convolution or linear layer. reads: bool (C_out, C_in); sums: its weights' sums over k*k, float64 likewise."""

    name: str
    module: Reader
    source: Value
    result: Value
    reads: Tensor
    sums: Tensor
    padded: bool
    norm: str | None  # the BatchNorm that alone reads the result

    def folds(self) -> Tensor:
        """bool (C_in,): input channels whose contribution is the same at every pixel, the border's zeros considered."""
        constant = self.source.constant
        return constant == 0 if self.padded else ~constant.isnan()


@dataclass
class Analysis:
    """What the walk over the graph finds; `root(i)` is a class's representative."""

    parents: list[int] = field(default_factory=list)
    pinned: set[int] = field(default_factory=set)
    reads: list[Read] = field(default_factory=list)
    norms: dict[str, Value] = field(default_factory=dict)
    pads: dict[str, Value] = field(default_factory=dict)

    def fresh(self, count: int) -> list[int]:
        first = len(self.parents)
        self.parents.extend(range(first, first + count))
        return list(range(first, first + count))

    def root(self, i: int) -> int:
        while self.parents[i] != i:
            self.parents[i] = self.parents[self.parents[i]]
            i = self.parents[i]
        return i

    def join(self, a: int, b: int) -> None:
        a, b = self.root(a), self.root(b)
        self.parents[max(a, b)] = min(a, b)

    def kept(self) -> set[int]:
        """The classes that stay: the least set with the pinned ones and all that a kept row reads and cannot fold.

        A layer that would lose all its channels keeps the first: no tensor may have zero channels.
        """
        kept = {self.root(i) for i in self.pinned}
        while True:
            size = len(kept)
            for read in self.reads:
                rows = self.chosen(read.result, kept)
                needed = read.reads[rows].any(0) & ~read.folds()
                kept.update(self.root(read.source.ids[i]) for i in needed.nonzero().flatten().tolist())
            if len(kept) == size:
                empty = [read for read in self.reads if not self.chosen(read.result, kept)]
                if not empty:
                    return kept
                kept.add(self.root(empty[0].result.ids[0]))

    def chosen(self, value: Value, kept: set[int]) -> list[int]:
        """Positions of the channels of `value` that stay."""
        return [i for i, label in enumerate(value.ids) if self.root(label) in kept]


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, PenniConv2d | PadShortcut) or super().is_leaf_module(m, module_qualified_name)


def trace(model: nn.Module) -> fx.GraphModule:
    """The network's graph, or one clear error where its forward depends on values."""
    try:
        return fx.GraphModule(model, _Tracer().trace(model))
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"the network cannot be traced ({reason}); compress it without shrinking") from error


@torch.no_grad()
def analyse(model: nn.Module, example: Tensor) -> Analysis:
    """Walk the graph of `model` (in eval mode) run on `example` (1, C, H, W)."""
    graph = trace(model)
    shapes = _Shapes(graph)
    shapes.run(example)
    walk = _Walk(model, shapes.shapes, graph)
    for node in graph.graph.nodes:
        walk.visit(node)
    return walk.found


class _Shapes(fx.Interpreter):
    """Runs the graph and notes the shape of each tensor."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.shapes: dict[fx.Node, torch.Size] = {}

    def run_node(self, n: fx.Node):  # noqa: ANN201
        result = super().run_node(n)
        if isinstance(result, Tensor):
            self.shapes[n] = result.shape
        return result


class _Walk:
    """One pass over the nodes in order; `values` holds what is known of each tensor with channels."""

    def __init__(self, model: nn.Module, shapes: dict[fx.Node, torch.Size], graph: fx.GraphModule) -> None:
        self.modules = dict(model.named_modules())
        self.shapes = shapes
        self.found = Analysis()
        self.values: dict[fx.Node, Value] = {}
        calls = Counter(id(self.modules[n.target]) for n in graph.graph.nodes if n.op == "call_module")
        self.shared = {module for module, count in calls.items() if count > 1}

    def visit(self, node: fx.Node) -> None:
        value = None
        if all(source in self.values for source in node.all_input_nodes) and node.all_input_nodes:
            value = self.known(node)
        if value is None:
            self.pin(node)
        else:
            self.values[node] = value

    def pin(self, node: fx.Node) -> None:
        for source in node.all_input_nodes:
            if source in self.values:
                self.found.pinned.update(self.values[source].ids)
        if node in self.shapes and len(self.shapes[node]) in (2, 4):
            ids = self.found.fresh(self.shapes[node][1])
            self.found.pinned.update(ids)
            self.values[node] = Value(ids, torch.full((len(ids),), torch.nan, dtype=torch.double))

    def known(self, node: fx.Node) -> Value | None:
        """The value of a node that the analysis understands, else None."""
        sources = [self.values[n] for n in node.all_input_nodes]
        if node.op == "call_module":
            module = self.modules[str(node.target)]
            return None if id(module) in self.shared else self.module(node, module, sources[0])
        if node.op not in ("call_function", "call_method"):
            return None
        target = node.target
        if target in (operator.add, operator.iadd, torch.add, "add", "add_"):
            return self.add(node, sources)
        if target in POINTWISE_FUNCTIONS:
            return Value(sources[0].ids, target(sources[0].constant))  # type: ignore[operator]
        if target in ("relu", "relu_", "sigmoid", "tanh"):
            return Value(sources[0].ids, getattr(torch, str(target).rstrip("_"))(sources[0].constant))
        if target in ("mean", torch.mean) and len(self.input_shape(node)) == 4:
            axes = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
            return sources[0] if isinstance(axes, tuple | list) and set(axes) in ({2, 3}, {-1, -2}) else None
        if target in ("flatten", torch.flatten):
            return self.flatten(node, sources[0]) if (*node.args[1:], *node.kwargs.values()) == (1,) else None
        if target is torch.cat:
            dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
            if dim != 1:
                return None
            parts = [self.values[n] for n in node.args[0]]  # type: ignore[union-attr, index]
            return Value([i for part in parts for i in part.ids], torch.cat([part.constant for part in parts]))
        return None

    def module(self, node: fx.Node, module: nn.Module, source: Value) -> Value | None:
        if isinstance(module, PenniConv2d | nn.Conv2d | nn.Linear):
            return self.read(node, module, source)
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            if module.running_mean is None or module.running_var is None:
                return None
            self.found.norms[str(node.target)] = source
            constant = (source.constant - module.running_mean) / torch.sqrt(module.running_var.double() + module.eps)
            if module.affine:
                constant = constant * module.weight + module.bias
            return Value(source.ids, constant)
        if isinstance(module, POINTWISE):
            return Value(source.ids, module(source.constant))
        if isinstance(module, nn.MaxPool2d | nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
            return source
        if isinstance(module, nn.AvgPool2d):
            return source if module.padding in (0, (0, 0)) and not module.ceil_mode else None
        if isinstance(module, nn.Flatten):
            return self.flatten(node, source) if (module.start_dim, module.end_dim) == (1, -1) else None
        if isinstance(module, PadShortcut):
            before, after = self.found.fresh(module.before), self.found.fresh(module.after)
            constant = F.pad(source.constant, (module.before, module.after))
            value = Value([*before, *source.ids, *after], constant)
            self.found.pads[str(node.target)] = value
            return value
        return None

    def read(self, node: fx.Node, module: Reader, source: Value) -> Value | None:
        if isinstance(module, nn.Linear):
            if len(self.input_shape(node)) != 2:
                return None
            reads, sums, padded = module.weight != 0, module.weight.double(), False
        elif isinstance(module, PenniConv2d):
            reads = (module.coefs.view(module.out_channels, module.in_channels, -1) != 0).any(2)
            sums, padded = module.weight().double().sum((2, 3)), module.padding > 0
        elif module.groups == 1:
            reads, sums = (module.weight != 0).flatten(2).any(2), module.weight.double().sum((2, 3))
            padded = module.padding not in (0, (0, 0), "valid")
        else:
            return None
        known = source.constant == 0 if padded else ~source.constant.isnan()
        constant = sums.new_zeros(len(sums)) if module.bias is None else module.bias.double()
        constant = constant + sums @ source.constant.nan_to_num(0)
        constant[(reads & ~known).any(1)] = torch.nan
        users = [user for user in node.users if user.op == "call_module"]
        norm = str(users[0].target) if len(node.users) == len(users) == 1 else None
        if norm and not isinstance(self.modules[norm], nn.BatchNorm2d | nn.BatchNorm1d):
            norm = None
        value = Value(self.found.fresh(len(sums)), constant)
        self.found.reads.append(Read(str(node.target), module, source, value, reads, sums, padded, norm))
        return value

    def add(self, node: fx.Node, sources: list[Value]) -> Value | None:
        shapes = [self.shapes.get(n) for n in node.all_input_nodes]
        if len(node.args) != 2 or len(sources) != 2 or shapes[0] != shapes[1] or node.kwargs:
            return None
        for a, b in zip(sources[0].ids, sources[1].ids, strict=True):
            self.found.join(a, b)
        return Value(sources[0].ids, sources[0].constant + sources[1].constant)

    def flatten(self, node: fx.Node, source: Value) -> Value:
        repeat = self.shapes[node][1] // len(source.ids)
        return Value([i for i in source.ids for _ in range(repeat)], source.constant.repeat_interleave(repeat))

    def input_shape(self, node: fx.Node) -> torch.Size:
        return self.shapes.get(node.all_input_nodes[0], torch.Size())
