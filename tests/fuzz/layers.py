"""Layers of random networks."""

from __future__ import annotations

import math
import random
from functools import partial

import torch
from torch import Tensor, nn

from .parts import Constant, Decomposed, Net, Pointwise

VALUES = 2048  # of a map, at most: so many cycles it takes
CHANNELS = 24
MACS = 150_000  # of a layer


class Layers:
    """A network while it grows, layer by layer. Values are told by their numbers; each method gives a new one."""

    def __init__(self, rng: random.Random, shape: tuple[int, int, int]) -> None:
        self.rng, self.net, self.zeros = rng, Net(), [torch.zeros(2, *shape)]

    def add(self, part: nn.Module, *reads: int) -> int:
        with torch.no_grad():
            self.zeros.append(part.eval()(*(self.zeros[i] for i in reads)))
        self.net.add(part, reads)
        return len(self.zeros) - 1

    def shape(self, value: int) -> tuple[int, int, int]:
        _, c, h, w = self.zeros[value].shape
        return c, h, w

    def maybe(self, probability: float) -> bool:
        return self.rng.random() < probability

    def conv(self, x: int, out: int | None = None, same: bool = False, stride: int | None = None) -> int:
        """same: the map keeps its height and width. stride: for rows and columns; None: any."""
        return self.add(self.convolution(self.shape(x), out, same, stride), x)

    def convolution(self, shape: tuple[int, int, int], out: int | None, same: bool, stride: int | None) -> nn.Module:
        """A convolution for maps of this shape, decomposed or not."""
        rng, (c, *size) = self.rng, shape
        kernel, strides, pads, dilation = [], [], [], []
        for n in size:
            k = kernel[0] if kernel and self.maybe(0.7) else rng.choices((1, 2, 3, 4, 5, 7), (5, 2, 9, 1, 3, 0.5))[0]
            d = rng.choice((2, 3)) if k in (2, 3) and self.maybe(0.1) else 1
            if same:
                k = max(1, k - (k % 2 == 0))
                k, s, pad = k, 1, d * (k - 1) // 2
            else:
                s = stride or (strides[0] if strides and self.maybe(0.7) else rng.choices((1, 2, 3), (6, 3, 1))[0])
                pad = rng.choice((0, d * (k - 1) // 2, d * (k - 1) // 2, rng.randint(0, d * (k - 1) + 1)))
                if stride:
                    pad = min(pad, d * (k - 1) // 2)
                while n + 2 * pad < d * (k - 1) + 1:
                    pad += 1
            kernel.append(k), strides.append(s), pads.append(pad), dilation.append(d)
        area = math.prod((n + 2 * p - d * (k - 1) - 1) // s + 1
                         for n, p, d, k, s in zip(size, pads, dilation, kernel, strides))  # fmt: skip
        groups, depthwise = 1, self.maybe(0.12) and area * c * kernel[1] <= 2 * VALUES
        if depthwise and (out is None or out % c == 0):
            groups, out = c, out or c * (2 if self.maybe(0.2) and 2 * c <= CHANNELS else 1)
        else:
            most = min(CHANNELS, VALUES // area, MACS // (area * c * math.prod(kernel)))
            out = out or rng.randint(1, max(1, most)) if self.maybe(0.95) or out else 1
            both = [g for g in range(2, 7) if c % g == 0 and out % g == 0]
            groups = rng.choice(both) if both and self.maybe(0.15) else 1
        conv = nn.Conv2d(c, out, tuple(kernel), tuple(strides), tuple(pads), tuple(dilation), groups, self.maybe(0.6))
        return self.weighted(conv)

    def weighted(self, layer: nn.Conv2d | nn.Linear) -> nn.Module:
        """With weights that keep the size of what they multiply, mostly; some of them zero, some layers decomposed."""
        rng = self.rng
        gain = rng.choices((1.5, 30.0, 0.03), (20, 1, 1))[0]
        part: nn.Module = layer
        taps = math.prod(layer.kernel_size) if isinstance(layer, nn.Conv2d) else 1
        with torch.no_grad():
            layer.weight.normal_(0, 1).mul_(1 / layer.weight[0].numel() ** 0.5)
            weights = layer.weight
            if taps > 1 and self.maybe(0.5):
                part = Decomposed(layer, rng.randint(1, min(5, taps)))
                weights = part.coefs
            weights.mul_(gain)
            if self.maybe(0.5):
                weights.mul_(torch.rand_like(weights) > rng.choice((0.3, 0.6, 0.9)))
            if self.maybe(0.1):
                weights.view(len(layer.weight), -1)[rng.randrange(len(layer.weight))] = 0
            if self.maybe(0.02):
                weights.zero_()
            if layer.bias is not None:
                layer.bias.uniform_(-0.3, 0.3).mul_(gain)
        return part

    def norm(self, x: int) -> int:
        norm = nn.BatchNorm2d(self.shape(x)[0], eps=self.rng.choice((1e-5, 1e-3)))
        with torch.no_grad():
            norm.weight.uniform_(0.5, 1.5).mul_(torch.where(torch.rand_like(norm.weight) < 0.15, -1.0, 1.0))
            norm.bias.uniform_(-0.5, 0.5)
        return self.add(norm, x)

    def clip(self, x: int, alone: bool = False) -> int:
        """ReLU, mostly, or other bounds. alone: nothing else reads `x`."""
        lo, hi = round(self.rng.uniform(-1.5, 0.2), 2), round(self.rng.uniform(0.5, 3), 2)
        kinds = (
            nn.ReLU(), nn.ReLU(inplace=alone), nn.ReLU6(inplace=alone), nn.Hardtanh(lo, hi),
            Pointwise(partial(torch.clamp, min=lo), f"clamp(min={lo})"),
            Pointwise(partial(torch.clamp, max=hi), f"clamp(max={hi})"),
        )  # fmt: skip
        part = self.rng.choices(kinds, (8, 2, 3, 1, 1, 1))[0]
        return self.add(part, x)

    def constant(self, x: int) -> int:
        def number(lo: float, hi: float) -> Tensor | float | None:
            match self.rng.choice(("none", "number", "channels", "channels")):
                case "number":
                    return round(self.rng.uniform(lo, hi), 3)
                case "channels":
                    return torch.rand(self.shape(x)[0], 1, 1) * (hi - lo) + lo
            return None

        return self.add(Constant(number(-1.5, 1.5), number(-0.5, 0.5), self.maybe(0.2)), x)

    def pool(self, x: int) -> int:
        rng, (_, h, w) = self.rng, self.shape(x)
        kernel = [min(n, rng.choice((1, 2, 2, 3))) for n in (h, w)]
        if min(kernel) == 1 and self.maybe(0.7):
            kernel = [min(2, n) for n in (h, w)]
        stride = [rng.choice((1, 2, k)) for k in kernel]
        pad = [rng.choice((0, k // 2)) for k in kernel]
        average = self.maybe(0.4)
        ceil = not average and self.maybe(0.2)
        part = nn.AvgPool2d(kernel, stride, pad) if average else nn.MaxPool2d(kernel, stride, pad, ceil_mode=ceil)
        return self.add(part, x)

    def nothing(self, x: int) -> int:
        return self.add(self.rng.choice((nn.Dropout(), nn.Identity())), x)
