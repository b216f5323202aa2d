"""The float network as a torch module without parameters: the teacher of quantization-aware training."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..graph import Graph
from ..layers import Add, BatchNorm, Conv, GlobalAvgPool, Input, Layer, Linear, MaxPool, PadShortcut, PenniConv, Relu
from ..passes.fold_batchnorm import fold_batchnorm
from ..passes.fused import Fused


class FloatNetwork(nn.Module):
    """What `graph` computes in float32: (N, C, H, W), uint8 pixels or normalised as loaders do it -> (N, classes)."""

    def __init__(self, graph: Graph[Layer]) -> None:
        super().__init__()
        self.graph: Graph = fold_batchnorm(graph)
        for index, node in enumerate(self.graph):
            for key, value in _tensors(node.op).items():
                self.register_buffer(f"{key}{index}", value, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        waiting = {name: len(readers) for name, readers in self.graph.readers.items()}
        live: dict[str, Tensor] = {}
        for index, node in enumerate(self.graph):
            held = [getattr(self, f"{key}{index}", None) for key in ("weight", "bias")]
            inputs = [live[name] for name in node.inputs] or [x]
            live[node.name] = _apply(node.op, inputs, *held)
            for name in node.inputs:
                waiting[name] -= 1
                if not waiting[name]:
                    live.pop(name, None)
        return live[self.graph.output.name].flatten(1)


def _tensors(op: Layer | Fused) -> dict[str, Tensor]:
    """The weight and bias of a layer, where it has them."""
    match op:
        case Fused():
            return _tensors(op.linear)
        case Conv() | PenniConv():
            weight, bias = torch.from_numpy(op.dense).contiguous(memory_format=torch.channels_last), op.bias
        case Linear():
            weight, bias = torch.from_numpy(op.weight), op.bias
        case BatchNorm():
            weight, bias = torch.from_numpy(op.scale).float().view(-1, 1, 1), op.offset
        case Input():  # their mean and deviation, in pixels
            weight, bias = (torch.tensor(v, dtype=torch.float32).view(-1, 1, 1) * 255 for v in (op.mean, op.std))
            return {"weight": weight, "bias": bias}
        case _:
            return {}
    return {"weight": weight} | ({} if bias is None else {"bias": torch.from_numpy(bias).float()})


def _apply(op: Layer | Fused, inputs: list[Tensor], weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = inputs[0]
    match op:
        case Fused():
            return _apply(op.linear, inputs, weight, bias)
        case Conv(stride=stride, pad=pad) | PenniConv(stride=stride, pad=pad):
            assert weight is not None
            return F.conv2d(x, weight, bias, stride, pad)
        case Linear():
            assert weight is not None
            return F.linear(x.flatten(1), weight, bias)[:, :, None, None]
        case BatchNorm():
            assert weight is not None and bias is not None
            return x * weight + bias.view(-1, 1, 1)
        case Input():
            return (x.float() - weight) / bias if x.dtype == torch.uint8 else x.float()
        case Relu():
            return x.relu()
        case Add():
            return x + inputs[1]
        case MaxPool(kernel=kernel, stride=stride, pad=pad):
            return F.max_pool2d(F.pad(x, (pad,) * 4, value=-torch.inf), kernel, stride)
        case GlobalAvgPool():
            return x.mean((2, 3), keepdim=True)
        case PadShortcut(stride=stride, channels=channels, offset=offset):
            return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, offset, channels - offset - x.shape[1]))
    raise ValueError(f"{type(op).__name__} has no float form here")
