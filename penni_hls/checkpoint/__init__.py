"""Checkpoint readers: a file -> Graph[layers]. With compression/ and export/, the only part that imports torch."""

from __future__ import annotations

from pathlib import Path

from ..graph import Graph, verify
from ..layers import Add, Conv, Layer, Linear, MaxPool, PadShortcut, PenniConv
from . import resnet, vgg
from .keys import CheckpointError, KeyTable, some
from .state_dict import read_tensors

CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR10_STD = (0.2023, 0.1994, 0.2010)
FAMILIES = (resnet, vgg)

__all__ = ["CIFAR10_MEAN", "CIFAR10_STD", "CheckpointError", "describe", "read"]


def read(
    path: str | Path, *, mean: tuple[float, ...] = CIFAR10_MEAN, std: tuple[float, ...] = CIFAR10_STD
) -> Graph[Layer]:
    """Read a state dict and recognise its network. mean, std: of the pixels 0..1 that the network was trained with.

    Raises CheckpointError, one line that begins with the path.
    """
    path = Path(path)
    try:
        table = KeyTable(read_tensors(path))
        family = next((f for f in FAMILIES if f.recognises(table)), None)
        if family is None:
            raise CheckpointError(
                f"its architecture is not known (a ResNet or a VGG is); its keys: {some(table.keys())}"
            )
        net = family.build(table, mean, std)
        table.finish()
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return verify(Graph(tuple(net.nodes)))


def describe(graph: Graph[Layer]) -> str:
    """One line: `ResNet-20, 16-32-64 channels, option-A shortcuts, 32x32x3 input, 10 classes`."""
    ops = [node.op for node in graph]
    residual = any(isinstance(op, Add) for op in ops)
    convs = [
        n
        for n in graph
        if isinstance(n.op, Conv | PenniConv) and "shortcut" not in n.name and "downsample" not in n.name
    ]
    depth = len(convs) + sum(isinstance(op, Linear) for op in ops)
    widths: list[int] = []
    for node in convs[1 if residual else 0 :]:
        if not widths or widths[-1] != node.op.out_spec.shape[2]:
            widths.append(node.op.out_spec.shape[2])
    parts = [f"{'ResNet' if residual else 'VGG'}-{depth}", f"{'-'.join(map(str, widths))} channels"]
    if residual:
        plain = any(isinstance(op, PadShortcut) for op in ops)
        parts.append(
            "option-A shortcuts"
            if plain
            else "option-B shortcuts"
            if len(convs) < _conv_count(ops)
            else "plain shortcuts"
        )
        parts.append("pooled stem" if any(isinstance(op, MaxPool) for op in ops) else "3x3 stem")
    decomposed = sum(isinstance(op, PenniConv) for op in ops)
    parts.append(f"{decomposed} of {_conv_count(ops)} convolutions decomposed")
    parts += [f"{graph.input.op.out_spec} input", f"{graph.output.op.out_spec.shape[2]} classes"]
    return ", ".join(parts)


def _conv_count(ops: list[Layer]) -> int:
    return sum(isinstance(op, Conv | PenniConv) for op in ops)
