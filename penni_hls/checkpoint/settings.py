"""Settings of pickled modules (strides, paddings, eps), checked against the network that names and shapes gave.

A state dict leaves such settings to convention. A pickled module holds them, so they are checked layer by layer, and
the eps of a BatchNorm is used. Of modules that are not torch's own only the settings are checked: the file does not
hold their code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeGuard

from ..errors import CheckpointError
from ..ir.graph import Graph, Node
from ..ir.layers import BatchNorm, Conv, GlobalAvgPool, Layer, Linear, MaxPool, PenniConv, Relu

Value = int | float | str | tuple[int, ...] | None
READ = (
    "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode", "transposed", "eps", "ceil_mode",
    "output_size",
)  # fmt: skip

# Modules of torch without weights that do nothing to an image, once trained.
_NEUTRAL = ("Sequential", "ModuleList", "ModuleDict", "Identity", "Flatten", "Dropout", "Dropout2d", "DataParallel",
            "DistributedDataParallel")  # fmt: skip
_EXPECTED: dict[type, tuple[str, ...]] = {
    Conv: ("Conv2d",), PenniConv: (), Linear: ("Linear",), BatchNorm: ("BatchNorm2d", "BatchNorm1d", "SyncBatchNorm"),
    Relu: ("ReLU",), MaxPool: ("MaxPool2d",),
}  # fmt: skip
_AVERAGES = ("AvgPool2d", "AdaptiveAvgPool2d")


@dataclass(frozen=True)
class Settings:
    """kind: the class, as `torch.nn.modules.conv.Conv2d`; values: those of READ that the module has."""

    kind: str
    values: Mapping[str, Value]

    @staticmethod
    def of(kind: str, state: Mapping[str, object]) -> Settings:
        values: dict[str, Value] = {}
        for name in READ:
            value = state.get(name)
            if isinstance(value, int | float) or isinstance(value, str) and len(value) < 20:
                values[name] = value
            elif isinstance(value, tuple | list) and len(value) <= 4 and all(type(part) is int for part in value):
                values[name] = tuple(value)
        return Settings(kind, values)

    @property
    def torch_class(self) -> str | None:
        """`Conv2d` for torch's own, None for any other class."""
        return self.kind.rpartition(".")[2] if self.kind.startswith("torch.nn.") else None

    def single(self, name: str, default: Value = None) -> Value:
        """A setting for both axes as one number: (2, 2) -> 2."""
        value = self.values.get(name, default)
        if isinstance(value, tuple) and len(set(value)) == 1:
            return value[0]
        return value


def apply(nodes: Iterable[Node[Layer]], settings: Mapping[str, Settings]) -> Graph[Layer]:
    """The graph with the settings' eps. CheckpointError names the layer where a setting contradicts the network."""
    graph = Graph(tuple(_with_eps(node, settings) for node in nodes))
    for node in graph:
        if node.name in settings:
            _check(node, settings[node.name])
    for name, found in settings.items():
        if found.torch_class in _AVERAGES:
            _check_average(name, found, graph)
        elif (
            found.torch_class is not None and name not in graph.by_name and found.torch_class not in (*_NEUTRAL, "ReLU")
        ):
            raise CheckpointError(f"{name} is a {found.torch_class}, which its architecture does not contain")
    return graph


def _with_eps(node: Node[Layer], settings: Mapping[str, Settings]) -> Node[Layer]:
    if not isinstance(node.op, BatchNorm) or node.name not in settings or "eps" not in settings[node.name].values:
        return node
    eps = settings[node.name].values["eps"]
    if not is_eps(eps):
        raise CheckpointError(f"{node.name} has an impossible eps")
    return replace(node, op=replace(node.op, eps=float(eps)))


def is_eps(value: object) -> TypeGuard[float]:
    """True for an eps that a BatchNorm can add to its variances."""
    return isinstance(value, int | float) and 0 <= value < 1


def _check(node: Node[Layer], found: Settings) -> None:
    expected = _EXPECTED.get(type(node.op))
    if expected is None:
        return
    if found.torch_class is not None and found.torch_class not in expected:
        raise CheckpointError(
            f"{node.name} is a {found.torch_class}, but the network has a {type(node.op).__name__} there"
        )
    if isinstance(node.op, Conv | PenniConv | MaxPool):
        op = node.op
        wanted: dict[str, Value] = {
            "kernel_size": op.kernel, "stride": op.stride, "padding": op.pad, "dilation": 1, "groups": 1,
            "padding_mode": "zeros", "transposed": False, "ceil_mode": False,
        }  # fmt: skip
        for name, want in wanted.items():
            have = found.single(name, want)
            if name == "padding" and isinstance(have, str):
                have = {"valid": 0, "same": (op.kernel - 1) / 2}.get(have, have)
            if have != want:
                raise CheckpointError(f"{node.name} has {name} {have}, but its architecture requires {want}")


def _check_average(name: str, found: Settings, graph: Graph[Layer]) -> None:
    """An average pool is the one over the whole map, or, where there is none, one that changes nothing."""
    pooled = [node.op.x for node in graph if isinstance(node.op, GlobalAvgPool)]
    before = pooled or [node.op.x for node in graph if isinstance(node.op, Linear)][:1]
    side = before[0].shape[0] if before else 1
    adaptive = found.torch_class == "AdaptiveAvgPool2d"
    have = found.single("output_size" if adaptive else "kernel_size")
    # Its output is 1x1 where the network pools, side x side where not; a fixed window is the other way round.
    want = side if adaptive != bool(pooled) else 1
    if have is None or have != want or found.single("padding", 0) != 0:
        raise CheckpointError(f"{name} does not average over the whole {side}x{side} map")
