"""Graph[Layer] -> a plain PyTorch module: torch's own layers in a torch.fx.GraphModule, nothing of this package."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from ..ir.graph import Graph, Node
from ..ir.layers import (
    Add,
    AvgPool,
    BatchNorm,
    Clip,
    Concat,
    Conv,
    GlobalAvgPool,
    Input,
    Layer,
    Linear,
    MaxPool,
    PadShortcut,
    PenniConv,
    Relu,
    Scale,
    Upsample,
)


def module_of(graph: Graph[Layer], penni: bool = False) -> fx.GraphModule:
    """The network as a module in evaluation mode: normalised float32 (N, C, H, W) -> logits (N, classes).

    Its state dict has `<name of the layer>.weight` and so on. penni: decomposed layers keep `basis` (d, kh*kw) and `coefs`
    (C_out*C_in, d), and multiply them when called; else their weight is dense.
    """
    return _Builder(penni).build(graph)


def state_dict(graph: Graph[Layer], penni: bool = False) -> dict[str, Tensor]:
    """The module's state dict, and the split of a shortcut's zero channels where it is not the usual one."""
    state = dict(module_of(graph, penni).state_dict())
    for node in graph:
        if isinstance(node.op, PadShortcut):
            zeros = node.op.channels - node.op.x.shape[2]
            if node.op.offset != zeros // 2:
                state[f"{node.name}.zeros"] = torch.tensor([node.op.offset, zeros - node.op.offset])
    return state


class _Builder:
    """The graph of the module under construction. ranks: axes of each node's result, 4 or (behind a linear layer) 2."""

    def __init__(self, penni: bool) -> None:
        self.penni = penni
        self.graph = fx.Graph()
        self.held: dict[str, nn.Module | nn.Parameter] = {}
        self.ranks: dict[str, int] = {}
        self.values: dict[str, fx.Node] = {}

    def build(self, graph: Graph[Layer]) -> fx.GraphModule:
        for node in graph:
            self.values[node.name], self.ranks[node.name] = self._node(node)
        last = graph.output
        result = self.values[last.name]
        if self.ranks[last.name] == 4 and last.op.out_spec.pixels == 1:
            result = self._call(torch.flatten, result, 1)
        self.graph.output(result)
        module = fx.GraphModule(self.held, self.graph, class_name="Network")
        return module.eval()

    def _call(self, function: Callable[..., Any], *args: Any) -> fx.Node:
        return self.graph.call_function(function, args)

    def _node(self, node: Node[Layer]) -> tuple[fx.Node, int]:
        """What stands for the node, and the rank of its result."""
        op = node.op
        match op:
            case Input():
                return self.graph.placeholder("images"), 4
            case Linear():
                flat = self._call(torch.flatten, self.values[node.inputs[0]], 1)
                return self._module(node.name, _linear(op), flat), 2
            case Add():
                values, rank = self._alike(node)
                return self._call(operator.add, *values), rank
            case Concat():
                values, rank = self._alike(node)
                return self._call(torch.cat, values, 1), rank
            case Relu():
                return self._call(F.relu, self.values[node.inputs[0]]), self.ranks[node.inputs[0]]
            case Clip():
                return self._call(torch.clamp, self.values[node.inputs[0]], op.lo, op.hi), self.ranks[node.inputs[0]]
            case Scale():
                return self._scale(node.name, op, self.ranks[node.inputs[0]], self.values[node.inputs[0]])
            case BatchNorm():
                rank = self.ranks[node.inputs[0]]
                kind = nn.BatchNorm2d if rank == 4 else nn.BatchNorm1d
                return self._module(node.name, _batch_norm(op, kind), self.values[node.inputs[0]]), rank
        x = self._map(node.inputs[0], op.in_specs[0].shape[2])
        if isinstance(op, Conv | PenniConv | MaxPool | AvgPool) and both_sides(op) is None:
            (top, left, bottom, right), outside = op.window.pads, -math.inf if isinstance(op, MaxPool) else 0.0
            x = self._call(F.pad, x, (left, right, top, bottom), "constant", outside)
        match op:
            case PenniConv() if self.penni:
                return self._penni(node.name, op, x), 4
            case Conv() | PenniConv():
                return self._module(node.name, _conv(op), x), 4
            case MaxPool():
                return self._call(F.max_pool2d, x, op.window.kernel, op.window.stride, both_sides(op) or 0), 4
            case AvgPool():
                return self._call(F.avg_pool2d, x, op.window.kernel, op.window.stride, both_sides(op) or 0), 4
            case GlobalAvgPool():
                return self._call(F.adaptive_avg_pool2d, x, 1), 4
            case Upsample():
                return self._call(F.interpolate, x, None, op.factor), 4  # "nearest"
            case PadShortcut():
                every = slice(None, None, op.stride)
                part = self._call(operator.getitem, x, (slice(None), slice(None), every, every)) if op.stride > 1 else x
                after = op.channels - op.offset - op.x.shape[2]
                return self._call(F.pad, part, (0, 0, 0, 0, op.offset, after)), 4
        raise TypeError(f"{node.name}: {type(op).__name__}")

    def _map(self, name: str, channels: int) -> fx.Node:
        """The value with four axes."""
        value = self.values[name]
        return value if self.ranks[name] == 4 else self._call(torch.reshape, value, (-1, channels, 1, 1))

    def _alike(self, node: Node[Layer]) -> tuple[list[fx.Node], int]:
        """What a node with two inputs reads, with as many axes each, and how many these are."""
        first, second = (self.ranks[name] for name in node.inputs)
        pairs = zip(node.inputs, node.op.in_specs)
        values = [self.values[n] if first == second else self._map(n, spec.shape[2]) for n, spec in pairs]
        return values, max(first, second)

    def _module(self, name: str, module: nn.Module, x: fx.Node) -> fx.Node:
        path = safe(name)
        self.held[path] = module
        return self.graph.call_module(path, (x,))

    def _scale(self, name: str, op: Scale, rank: int, x: fx.Node) -> tuple[fx.Node, int]:
        """A product and a sum."""
        path, shape = safe(name), (-1, *(1,) * (rank - 2))
        for part, values, function in (("gain", op.gain, operator.mul), ("offset", op.offset, operator.add)):
            self.held[f"{path}.{part}"] = nn.Parameter(_tensor(values.reshape(shape)))
            x = self._call(function, x, self.graph.get_attr(f"{path}.{part}"))
        return x, rank

    def _penni(self, name: str, op: PenniConv, x: fx.Node) -> fx.Node:
        path = safe(name)
        parts = {}
        for part, values in factors(op).items():
            self.held[f"{path}.{part}"] = nn.Parameter(_tensor(values))
            parts[part] = self.graph.get_attr(f"{path}.{part}")
        product = self._call(torch.matmul, parts["coefs"], parts["basis"])
        weight = self._call(torch.reshape, product, op.dense.shape)
        in_groups = (1, op.groups) if op.groups > 1 else ()
        pads = both_sides(op) or 0
        return self._call(F.conv2d, x, weight, parts.get("bias"), op.window.stride, pads, *in_groups)


def both_sides(op: Conv | PenniConv | MaxPool | AvgPool) -> tuple[int, int] | None:
    """Padding in rows and in columns, as torch's layers take it; None where they do not: where opposite sides differ,
    and of pooling where it is more than half of the window."""
    top, left, bottom, right = op.window.pads
    too_far = isinstance(op, MaxPool | AvgPool) and (2 * top > op.window.kernel[0] or 2 * left > op.window.kernel[1])
    return (top, left) if (top, left) == (bottom, right) and not too_far else None


def factors(op: PenniConv) -> dict[str, np.ndarray]:
    """coefs (C_out*C_in, d), basis (d, kh*kw) and, where there is one, bias."""
    d = len(op.basis)
    found = {"coefs": op.coefs.reshape(-1, d), "basis": op.basis.reshape(d, -1)}
    return found if op.bias is None else {**found, "bias": op.bias}


def safe(name: str) -> str:
    """A name that no attribute of a module has already."""
    return ".".join(
        f"{part}_" if hasattr(fx.GraphModule, part) or part == "training" else part for part in name.split(".")
    )


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(values, np.float32, order="C"))


def _fill(module: nn.Module, **values: np.ndarray | None) -> nn.Module:
    module.load_state_dict({k: _tensor(v) for k, v in values.items() if v is not None}, strict=False)
    return module


def _conv(op: Conv | PenniConv) -> nn.Module:
    window, biased = op.window, op.bias is not None
    pads = both_sides(op) or 0
    conv = nn.Conv2d(op.x.shape[2], op.channels, window.kernel, window.stride, pads, groups=op.groups, bias=biased)
    return _fill(conv, weight=op.dense, bias=op.bias)


def _linear(op: Linear) -> nn.Module:
    linear = nn.Linear(op.weight.shape[1], op.weight.shape[0], bias=op.bias is not None)
    return _fill(linear, weight=op.weight, bias=op.bias)


def _batch_norm(op: BatchNorm, kind: type[nn.BatchNorm1d] | type[nn.BatchNorm2d]) -> nn.Module:
    norm = kind(op.x.shape[2], eps=op.eps)
    return _fill(norm, weight=op.gamma, bias=op.beta, running_mean=op.mean, running_var=op.var)
