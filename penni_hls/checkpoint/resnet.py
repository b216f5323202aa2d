"""ResNets of basic blocks, from keys and shapes.

conv1, bn1, layer<stage>.<block>.{conv1,bn1,conv2,bn2}, then linear or fc. Shortcuts: none where the map stays the
same; a 1x1 convolution under shortcut.0/.1 or downsample.0/.1 ("option B"); else stride and zero channels ("option A"),
as many before as after unless shortcut.zeros (before, after) says otherwise.
The first block of each stage but the first has stride 2. A 7x7 stem has stride 2, a pooling layer and a 224x224 input.
"""

from __future__ import annotations

import re

from ..ir.layers import Add, GlobalAvgPool, Input, MapSpec, MaxPool, PadShortcut, Relu
from .keys import Builder, CheckpointError, KeyTable

SHORTCUTS = ("shortcut", "downsample")
HEADS = ("linear", "fc")


def recognises(table: KeyTable) -> bool:
    return table.has_layer("conv1") and any(key.startswith("layer1.0.") for key in table.keys())


def build(table: KeyTable, mean: tuple[float, ...], std: tuple[float, ...]) -> Builder:
    """Take every tensor of the network from the table and return its nodes."""
    large = table.kernel("conv1") == 7
    side = 224 if large else 32
    net = Builder()
    net.add("input", Input(MapSpec((side, side, 3)), mean, std))
    _conv_bn(net, table, "conv1", "bn1", stride=2 if large else 1)
    net.add("relu", Relu(net.spec))
    if large:
        net.add("maxpool", MaxPool(net.spec, 3, 2, 1))
    for stage, blocks in _stages(table):
        for block in range(blocks):
            _block(net, table, f"layer{stage}.{block}", stride=2 if stage > 1 and block == 0 else 1)
    net.add("pool", GlobalAvgPool(net.spec))
    heads = [name for name in HEADS if table.has_layer(name)]
    if not heads:
        raise CheckpointError(f"no classifier: one of {', '.join(f'{h}.weight' for h in HEADS)} is needed")
    net.add(heads[0], table.linear(heads[0], net.spec))
    return net


def _stages(table: KeyTable) -> list[tuple[int, int]]:
    """(stage, number of its blocks), both without gaps."""
    found: dict[int, set[int]] = {}
    for key in table.keys():
        match = re.match(r"layer(\d+)\.(\d+)\.", key)
        if match:
            found.setdefault(int(match[1]), set()).add(int(match[2]))
            if re.match(r"layer\d+\.\d+\.conv3\.", key):
                raise CheckpointError(f"{key}: bottleneck blocks are not supported, only blocks of two convolutions")
    for number, stage in enumerate(sorted(found), start=1):
        if stage != number:
            raise CheckpointError(f"layer{number} is missing, but layer{stage} is there")
        for index, block in enumerate(sorted(found[stage])):
            if block != index:
                raise CheckpointError(f"layer{stage}.{index} is missing, but layer{stage}.{block} is there")
    return [(stage, len(found[stage])) for stage in sorted(found)]


def _conv_bn(net: Builder, table: KeyTable, conv: str, bn: str, stride: int, source: str | None = None) -> str:
    k = table.kernel(conv)
    spec = net.spec if source is None else next(n for n in net.nodes if n.name == source).op.out_spec
    net.add(conv, table.conv(conv, spec, stride, k // 2), *([source] if source else []))
    return net.add(bn, table.batchnorm(bn, net.spec))


def _block(net: Builder, table: KeyTable, name: str, stride: int) -> None:
    source, spec = net.last, net.spec
    _conv_bn(net, table, f"{name}.conv1", f"{name}.bn1", stride)
    net.add(f"{name}.relu1", Relu(net.spec))
    main = _conv_bn(net, table, f"{name}.conv2", f"{name}.bn2", 1)
    out = net.spec
    given = [part for part in SHORTCUTS if table.has_layer(f"{name}.{part}.0")]
    skip = source
    if given:
        skip = _conv_bn(net, table, f"{name}.{given[0]}.0", f"{name}.{given[0]}.1", stride, source)
    elif spec != out:
        if out.shape[2] < spec.shape[2]:
            raise CheckpointError(f"{name}: {out.shape[2]} channels after {spec.shape[2]} need a shortcut convolution")
        before = _zeros_before(table, f"{name}.shortcut.zeros", out.shape[2] - spec.shape[2])
        skip = net.add(f"{name}.shortcut", PadShortcut(spec, stride, out.shape[2], before), source)
    if skip != source and net.spec != out:
        raise CheckpointError(f"{name}: its shortcut gives {net.spec}, its convolutions {out}")
    net.add(f"{name}.add", Add(out), main, skip)
    net.add(f"{name}.relu2", Relu(out))


def _zeros_before(table: KeyTable, key: str, zeros: int) -> int:
    """How many of the zero channels come first: half, an odd one last, unless a shrunk network says (before, after)."""
    if key not in table:
        return zeros // 2
    before, after = table.take(key, (2,))
    if before < 0 or after < 0 or before + after != zeros or before != int(before):
        raise CheckpointError(f"{key} is ({before:g}, {after:g}), but {zeros} zero channels are needed")
    return int(before)
