"""Torch networks of the families that are read, written as people write them; small, with random statistics."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    """A basic block. shortcut: the name of its 1x1 convolution, or None for option A."""

    def __init__(self, inputs: int, planes: int, stride: int, shortcut: str | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.stride, self.extra, self.named = stride, planes - inputs, None
        if shortcut and (stride > 1 or inputs != planes):
            layers = nn.Sequential(nn.Conv2d(inputs, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))
            setattr(self, shortcut, layers)
            self.named = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.named:
            return F.relu(y + getattr(self, self.named)(x))
        x = x[:, :, :: self.stride, :: self.stride]
        return F.relu(y + F.pad(x, (0, 0, 0, 0, self.extra // 2, self.extra - self.extra // 2)))


class ResNet(nn.Module):
    def __init__(
        self, blocks: tuple[int, ...], widths: tuple[int, ...], shortcut: str | None, head: str, imagenet: bool = False
    ) -> None:
        super().__init__()
        self.imagenet, self.stages, self.head = imagenet, len(blocks), head
        self.conv1 = nn.Conv2d(3, widths[0], *((7, 2, 3) if imagenet else (3, 1, 1)), bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        inputs = widths[0]
        for stage, (count, planes) in enumerate(zip(blocks, widths), start=1):
            layers = []
            for block in range(count):
                layers.append(Block(inputs, planes, 2 if stage > 1 and block == 0 else 1, shortcut))
                inputs = planes
            setattr(self, f"layer{stage}", nn.Sequential(*layers))
        setattr(self, head, nn.Linear(inputs, 10))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        if self.imagenet:
            x = F.max_pool2d(x, 3, 2, 1)
        for stage in range(1, self.stages + 1):
            x = getattr(self, f"layer{stage}")(x)
        return getattr(self, self.head)(x.mean((2, 3)))


class Vgg(nn.Module):
    """plan: widths of the convolutions, "M" a pooling layer. hidden: width of the two hidden linear layers, or 0."""

    def __init__(self, plan: list[int | str], side: int, hidden: int, bias: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for entry in plan:
            if isinstance(entry, str):
                layers.append(nn.MaxPool2d(2, 2))
                side //= 2
            else:
                layers += [nn.Conv2d(inputs, entry, 3, padding=1, bias=bias), nn.BatchNorm2d(entry), nn.ReLU()]
                inputs = entry
        self.features = nn.Sequential(*layers)
        width = inputs * side * side
        if hidden:
            first, second = nn.Linear(width, hidden), nn.Linear(hidden, hidden)
            relus = (nn.ReLU(), nn.Dropout(), nn.ReLU(), nn.Dropout())
            self.classifier = nn.Sequential(first, *relus[:2], second, *relus[2:], nn.Linear(hidden, 10))
        else:
            self.classifier = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))


def randomised(model: nn.Module, seed: int = 0) -> nn.Module:
    """The model in evaluation mode, with BatchNorm parameters and statistics that are no identity."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, lo, hi in ((module.weight.data, 0.5, 1.5), (module.bias.data, -0.5, 0.5)):
                values.uniform_(lo, hi, generator=generator)
            module.running_mean.uniform_(-0.2, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
    return model.eval()


def decomposed(state: dict[str, Tensor], d: int = 5, keep: float = 0.5) -> dict[str, Tensor]:
    """The state with each 3x3 weight as `basis` (d, 9) and `coefs` (C_out*C_in, d), the smaller coefficients zero."""
    result: dict[str, Tensor] = {}
    for key, value in state.items():
        if value.ndim == 4 and value.shape[2] == 3:
            u, s, vh = torch.linalg.svd(value.reshape(-1, 9), full_matrices=False)
            coefs = u[:, :d] * s[:d]
            coefs = torch.where(coefs.abs() >= coefs.abs().quantile(1 - keep), coefs, 0.0)
            name = key.removesuffix("weight")
            result[f"{name}basis"], result[f"{name}coefs"] = vh[:d].clone(), coefs
        else:
            result[key] = value
    return result
