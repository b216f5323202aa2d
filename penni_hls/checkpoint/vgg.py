"""VGG with BatchNorm, from keys and shapes.

features.<n> is a convolution, <n+1> its BatchNorm, <n+2> a ReLU; <n+3> is the next convolution, or a 2x2 pooling layer
if the next convolution is <n+4>. The last pooling layer leaves no such gap: the classifier's width tells whether it is
there, and whether the input is 32x32 or 224x224. The classifier is one linear layer or several; all but the last are
followed by a ReLU, with or without a BatchNorm before it. The public PENNI code spells it "classifer".
"""

from __future__ import annotations

import re

from ..ir.layers import Input, MapSpec, MaxPool, Relu
from .keys import Builder, CheckpointError, KeyTable

SIDES = (32, 224)
POOL = 2  # window and stride
CLASSIFIERS = ("classifier", "classifer")


def recognises(table: KeyTable) -> bool:
    return table.has_layer("features.0") and any(key.startswith(CLASSIFIERS) for key in table.keys())


def build(table: KeyTable, mean: tuple[float, ...], std: tuple[float, ...]) -> Builder:
    """Take every tensor of the network from the table and return its nodes."""
    convs = _convolutions(table)
    pools = _gaps(convs)
    heads = _classifier(table)
    width = table.shape(f"{heads[0]}.weight")[1]
    channels = table.shape(f"features.{convs[-1] + 1}.running_mean")[0]
    side, last = _input_side(channels, width, sum(pools))
    net = Builder()
    net.add("input", Input(MapSpec((side, side, 3)), mean, std))
    for index, pooled in zip(convs, [*pools, last]):
        name = f"features.{index}"
        net.add(name, table.conv(name, net.spec, 1, table.kernel(name) // 2))
        net.add(f"features.{index + 1}", table.batchnorm(f"features.{index + 1}", net.spec))
        net.add(f"features.{index + 2}", Relu(net.spec))
        if pooled:
            net.add(f"features.{index + 3}", MaxPool(net.spec, POOL, POOL))
    for name in heads:
        net.add(name, table.linear(name, net.spec))
        if name != heads[-1]:
            _batchnorm_behind(net, table, name)
            net.add(f"{name}.relu", Relu(net.spec))
    return net


def _convolutions(table: KeyTable) -> list[int]:
    """Indices of the convolutions in `features`, each with its BatchNorm behind it."""
    found = {re.match(r"features\.(\d+)\.", key) for key in table.keys()}
    indices = sorted({int(match[1]) for match in found if match})
    convs = [
        i for i in indices
        if f"features.{i}.coefs" in table
        or f"features.{i}.weight" in table and len(table.shape(f"features.{i}.weight")) > 1
    ]  # fmt: skip
    for i in convs:
        if f"features.{i + 1}.running_mean" not in table:
            raise CheckpointError(f"features.{i + 1}.running_mean is missing: VGG is read with BatchNorm only")
    return convs


def _gaps(convs: list[int]) -> list[bool]:
    """For each convolution but the last: does a pooling layer follow?"""
    for before, after in zip(convs, convs[1:]):
        if after - before not in (3, 4):
            raise CheckpointError(
                f"features.{before} and features.{after}: the layers between them are not BatchNorm, ReLU and pooling"
            )
    return [after - before == 4 for before, after in zip(convs, convs[1:])]


def _classifier(table: KeyTable) -> list[str]:
    """The linear layers, in order."""
    for name in CLASSIFIERS:
        if f"{name}.weight" in table:
            return [name]
        found = {re.match(rf"{name}\.(\d+)\.weight$", key) for key in table.keys()}
        heads = [f"{name}.{i}" for i in sorted(int(match[1]) for match in found if match)]
        heads = [head for head in heads if f"{head}.running_mean" not in table]
        if heads:
            return heads
    raise CheckpointError("no classifier: classifier.weight or classifier.<n>.weight is needed")


def _batchnorm_behind(net: Builder, table: KeyTable, name: str) -> None:
    """The BatchNorm of a hidden linear layer, at the next index."""
    parent, _, index = name.rpartition(".")
    norm = f"{parent}.{int(index) + 1}"
    if f"{norm}.running_mean" in table:
        net.add(norm, table.batchnorm(norm, net.spec))


def _input_side(channels: int, width: int, pools: int) -> tuple[int, bool]:
    """The side of the input, and whether a pooling layer follows the last convolution."""
    for side in SIDES:
        for last in (True, False):
            left = side // POOL ** (pools + last)
            if left and left * left * channels == width:
                return side, last
    raise CheckpointError(
        f"the classifier takes {width} values: no {' or '.join(f'{s}x{s}' for s in SIDES)} input gives as many"
        f" through {pools} pooling layers and {channels} channels"
    )
