"""Networks of no known family, and of the known ones, as people write them; and how their results are compared."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penni_hls.accuracy import predict_float
from penni_hls.compression.decompose import PenniConv2d, decompose
from penni_hls.ir.graph import Graph
from penni_hls.zoo.models import ResNet

from .models import Vgg, randomised

MEANS, STDS = (0.5, 0.4, 0.3, 0.6), (0.2, 0.25, 0.3, 0.22)


class Custom(nn.Module):
    """No family's names: 5x5 and 1x1 kernels, biases, an eps of its own, in-place operations, two linear layers."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, 6, 5, padding=2), nn.BatchNorm2d(6, eps=1e-2), nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )  # fmt: skip
        self.left = nn.Conv2d(6, 8, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.right = nn.Conv2d(6, 8, 1, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout()
        self.hidden = nn.Linear(8, 12)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.norm(self.left(x))
        y += self.right(x)
        y = self.pool(F.relu_(y))
        y = self.drop(torch.flatten(y, 1))
        return self.head(F.relu(self.hidden(y)))


class Odd(nn.Module):
    """The other ways to write the same operations."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 6, 3, padding="same")
        self.wide = nn.Conv2d(6, 10, 3, stride=2, padding=1)
        self.weight = nn.Parameter(torch.randn(10, 3))
        self.bias = nn.Parameter(torch.randn(3))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv(x))
        side = F.pad(F.avg_pool2d(x, 1, 2), (0, 0, 0, 0, 1, 3))
        x = F.relu(self.wide(x) + side)
        x = F.avg_pool2d(x, 6).squeeze(-1).squeeze(-1)
        x = x.view(x.size(0), -1)
        return x @ self.weight + self.bias


class Branches(nn.Module):
    """Concatenations: of three maps, of one map with itself, of strided maps, of vectors. Upsampling by three factors."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Conv2d(4, 3, 3, padding=1)
        self.right = nn.Conv2d(4, 5, 1)
        self.join = nn.Conv2d(12, 6, 3, stride=2, padding=1)
        self.wider = nn.Upsample(scale_factor=3)
        self.hidden = nn.ModuleList(nn.Linear(n, 4) for n in (24, 6))
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat((x, F.relu(self.left(x)), self.right(x)), 1)
        y = F.relu(self.join(x))
        y = self.wider(F.interpolate(F.max_pool2d(y, 6), size=(2, 2)))
        z = torch.concat([x[:, :, ::2, ::2], y, F.max_pool2d(y, 1)[:, :, :, :]], dim=-3)
        vectors = [layer(v.mean((2, 3))) for layer, v in zip(self.hidden, (z[:, :, ::3, ::3], y))]
        return self.head(torch.relu(torch.cat(vectors, 1)))


class Grouped(nn.Module):
    """Convolutions in groups: depthwise with two results per channel, 3x3, 1x1, and one whose weight is a product."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.depthwise = nn.Conv2d(6, 12, 3, stride=2, padding=1, groups=6, bias=False)
        self.norm = nn.BatchNorm2d(12)
        self.halves = nn.Conv2d(12, 8, 3, groups=2)
        self.point = nn.Conv2d(8, 8, 1, groups=4)
        self.coefs = nn.Parameter(torch.randn(12 * 4, 3))
        self.basis = nn.Parameter(torch.randn(3, 9))
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.depthwise(F.relu(self.stem(x)))))
        x = F.relu(self.point(F.relu(self.halves(x))))
        x = F.conv2d(x, (self.coefs @ self.basis).view(12, 4, 3, 3), padding=1, groups=2)
        return self.head(F.relu(x).mean((2, 3)))


class Averages(nn.Module):
    """Average pooling as it is written: windows with and without padding, sizes that the stride does not divide, a map of
    a given size, one whole map that is not square."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(), nn.AvgPool2d(3, 2, 1))
        self.left = nn.Conv2d(6, 8, 3, padding=1)
        self.right = nn.Conv2d(6, 8, 1)
        self.six = nn.AdaptiveAvgPool2d((3, 2))
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = F.relu(self.left(F.avg_pool2d(x, 3, 1, 1, ceil_mode=True)) + self.right(x))
        x = F.avg_pool2d(self.six(x), (3, 2))
        return self.head(torch.flatten(x, 1))


class Bounded(nn.Module):
    """Bounds as they are written: ReLU6, hardtanh, clamp with one bound or two, in place, a ReLU behind a pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU6(inplace=True))
        self.left = nn.Sequential(nn.Conv2d(6, 8, 3, padding=1), nn.Hardtanh())
        self.right = nn.Sequential(nn.Conv2d(6, 8, 1), nn.MaxPool2d(1), nn.ReLU())
        self.hidden = nn.Linear(8, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = torch.clamp(self.left(x) + torch.clamp(self.right(x), max=1.5), -0.5, 2.5)
        x = F.relu6(F.max_pool2d(x, 2)).clamp_min(0.25)
        x = F.hardtanh(self.hidden(x.mean((2, 3))), 0, 4)
        return self.head(x)


class Arithmetic(nn.Module):
    """Constants and maps as they are added, subtracted, multiplied and divided; BatchNorm of pixels, pools and vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.rand(1, 4, 1, 1))
        self.register_buffer("std", torch.rand(4, 1, 1) + 0.5)
        self.pixels = nn.BatchNorm2d(4)
        self.left, self.right = nn.Conv2d(4, 6, 3, padding=1), nn.Conv2d(4, 6, 1, bias=False)
        self.shift, self.gain = nn.Parameter(torch.randn(6, 1, 1)), nn.Parameter(torch.randn(1, 6, 1, 1))
        self.before = nn.BatchNorm2d(6)
        self.last = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.vector, self.factor = nn.BatchNorm1d(8), nn.Parameter(torch.randn(8))
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pixels((x - self.mean) / self.std)
        y = F.relu(self.left(x) - 0.25) + F.relu(self.right(x) + self.shift)
        y = torch.add(y, 2 * self.right(x), alpha=-0.5) - F.relu(y)
        y = 1 - (y + y) * self.gain
        y *= 0.5
        y = F.relu(self.before(F.max_pool2d(-y, 3, 1, 1))) / 3
        x = torch.rsub(self.last(y), 0.125, alpha=2)
        x = self.vector(F.relu(x).mean((2, 3))) * self.factor + 1
        return -self.head(x) / 2


class PreActivation(nn.Module):
    """BatchNorm and ReLU before each convolution, BatchNorm behind a concatenation and behind a pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(n) for n in (6, 6, 6, 6, 14))
        self.convs = nn.ModuleList(nn.Conv2d(6, n, 3, s, 1, bias=False) for n, s in ((6, 1), (6, 1), (6, 2), (8, 1)))
        self.shortcut = nn.Conv2d(6, 8, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(14)
        self.head = nn.Linear(14, 5)

    def forward(self, x: Tensor) -> Tensor:
        def unit(i: int, x: Tensor) -> Tensor:
            return self.convs[i](F.relu(self.norms[i](x)))

        x = self.stem(x)
        x = unit(1, unit(0, x)) + x
        y = unit(2, x)
        y = torch.cat((F.max_pool2d(x, 2), unit(3, y) + self.shortcut(x)), 1)
        y = self.norm(F.avg_pool2d(F.relu(self.norms[4](y)), 2))
        return self.head(y.mean((2, 3)))


def arithmetic() -> nn.Module:
    torch.manual_seed(13)
    return randomised(Arithmetic())


def preactivation() -> nn.Module:
    torch.manual_seed(14)
    return randomised(PreActivation())


class Windows(nn.Module):
    """Windows whose rows and columns, or sides, differ; strides larger than the kernel; padding as large as it; dilation;
    one convolution's weight is a product."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(4, 6, (3, 5), stride=(1, 2), padding=(1, 2), bias=False), nn.BatchNorm2d(6), nn.ReLU(),
            nn.MaxPool2d((2, 3), stride=(1, 2), padding=(1, 1), ceil_mode=True),
        )  # fmt: skip
        self.point = nn.Conv2d(6, 5, 1, padding=(0, 1))
        self.apart = nn.Conv2d(5, 6, 2, stride=(1, 3))
        self.dilated = nn.Conv2d(6, 8, 3, padding=2, dilation=2)
        self.below = nn.Conv2d(8, 8, 3, stride=2)
        self.along = nn.Conv2d(8, 8, (1, 5), padding=(0, 2), groups=8)
        self.coefs = nn.Parameter(torch.randn(6 * 8, 2))
        self.basis = nn.Parameter(torch.randn(2, 3))
        self.mean = nn.AvgPool2d((2, 1), stride=(1, 2))
        self.every = nn.Conv2d(6, 6, 1, stride=(2, 1))
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.point(self.stem(x)))
        x = F.max_pool2d(F.relu(self.apart(x)), 2, 1, ceil_mode=True)
        x = F.relu(self.below(F.pad(F.relu(self.dilated(x)), (0, 1, 0, 1))))
        x = F.relu(self.along(F.max_pool2d(F.pad(x, (0, 0, 1, 0)), (2, 1), (1, 2))))
        x = F.relu(F.conv2d(x, (self.coefs @ self.basis).view(6, 8, 3, 1), padding=(1, 0)))
        return self.head(torch.flatten(F.adaptive_max_pool2d(self.every(self.mean(x)), 1), 1))


class Shared(nn.Module):
    """Layers that are called twice: a block, a decomposed convolution on maps of two sizes, an activation, a matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.block = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU())
        self.conv = nn.Conv2d(6, 6, 3, padding=1)
        self.act = nn.ReLU()
        self.head = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block(self.block(self.act(self.stem(x))))
        x = self.act(self.conv(F.max_pool2d(self.act(self.conv(x)), 2)))
        return self.head(F.relu(self.head(x.mean((2, 3)))))


def custom(channels: int = 1) -> nn.Module:
    torch.manual_seed(4)
    return randomised(Custom(channels))


def grouped() -> nn.Module:
    torch.manual_seed(8)
    return randomised(Grouped())


def odd() -> nn.Module:
    torch.manual_seed(5)
    return randomised(Odd())


def branches() -> nn.Module:
    torch.manual_seed(8)
    return randomised(Branches())


def averages() -> nn.Module:
    torch.manual_seed(9)
    return randomised(Averages())


def windows() -> nn.Module:
    """Weights large enough that what the images have in common does not outweigh what they differ in."""
    torch.manual_seed(11)
    model = randomised(Windows())
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data *= 3
    return model


def shared() -> nn.Module:
    torch.manual_seed(12)
    return randomised(decompose(Shared(), {"conv": 3}))


def bounded() -> nn.Module:
    torch.manual_seed(10)
    return randomised(Bounded())


def resnet(option: str, d: int | None = 3) -> nn.Module:
    """Two stages of 4 and 8 channels; d: bases of its layers, None: dense."""
    torch.manual_seed(6)
    model = randomised(ResNet((2, 1), (4, 8), option))
    return sparse(decompose(model, d)) if d else model


def sparse(model: nn.Module) -> nn.Module:
    """The same with the smaller half of its coefficients 0."""
    for module in model.modules():
        if isinstance(module, PenniConv2d):
            coefs = module.coefs.data
            coefs[coefs.abs() < coefs.abs().median()] = 0
    return model


def vgg(hidden: int = 6) -> nn.Module:
    torch.manual_seed(7)
    return randomised(Vgg([4, "M", 8, 8, "M"], 16, hidden))


NETS = {
    "custom": (custom, (1, 20, 28)),
    "odd": (odd, (4, 12, 12)),
    "branches": (branches, (4, 12, 12)),
    "averages": (averages, (4, 24, 17)),
    "bounded": (bounded, (4, 12, 12)),
    "arithmetic": (arithmetic, (4, 12, 12)),
    "preactivation": (preactivation, (3, 16, 16)),
    "shared": (shared, (3, 16, 16)),
    "windows": (windows, (4, 17, 45)),
    "option A": (lambda: resnet("A"), (3, 16, 16)),
    "option B": (lambda: resnet("B"), (3, 16, 16)),
    "dense option A": (lambda: resnet("A", None), (3, 16, 16)),
    "vgg": (vgg, (3, 16, 16)),
    "grouped": (grouped, (3, 16, 16)),
}


def pixels(shape: tuple[int, int, int], n: int = 3) -> np.ndarray:
    c, h, w = shape
    return np.random.default_rng(1).integers(0, 256, (n, h, w, c), dtype=np.uint8)


def normalised(images: np.ndarray) -> Tensor:
    """What the network takes: float32 (N, C, H, W)."""
    c = images.shape[3]
    x = images.astype(np.float32) / 255
    return torch.from_numpy((x - np.float32(MEANS[:c])) / np.float32(STDS[:c])).permute(0, 3, 1, 2).contiguous()


def numbers(shape: tuple[int, int, int]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return MEANS[: shape[0]], STDS[: shape[0]]


def assert_computes(graph: Graph, model: nn.Module, shape: tuple[int, int, int], tolerance: float = 1e-5) -> None:
    """The graph's logits are the model's."""
    images = pixels(shape)
    with torch.no_grad():
        wanted = model(normalised(images)).numpy()
    np.testing.assert_allclose(predict_float(graph, images), wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


def assert_factors(graph: Graph, model: nn.Module) -> None:
    """Each PenniConv2d of the model is a PenniConv of the graph, of its name and with exactly its numbers."""
    found = {node.name: node.op for node in graph if hasattr(node.op, "coefs")}
    modules = {name: m for name, m in model.named_modules() if isinstance(m, PenniConv2d)}
    assert set(found) == set(modules) and modules
    for name, module in modules.items():
        op = found[name]
        np.testing.assert_array_equal(op.coefs.reshape(-1, module.d), module.coefs.detach().float().numpy())
        np.testing.assert_array_equal(op.basis.reshape(module.d, -1), module.basis.detach().float().numpy())
