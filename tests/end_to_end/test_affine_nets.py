"""BatchNorm, ReLU, constants and additions anywhere: a ResNet that normalises before its convolutions, a network of dense
layers that does so too and ends in a concatenation, and one with all kinds of sums and constants."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penni_hls.compression.decompose import decompose
from penni_hls.ir.fixed import QType
from penni_hls.ir.ops import Affine, Concat

from ..checkpoint.traced_nets import sparse
from . import networks

pytestmark = pytest.mark.slow


class Unit(nn.Module):
    """BatchNorm, ReLU, convolution."""

    def __init__(self, inputs: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.conv = nn.Conv2d(inputs, channels, 3, stride, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.relu(self.norm(x)))


class PreActivation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.first = nn.Sequential(Unit(8, 8), Unit(8, 8))
        self.second = nn.Sequential(Unit(8, 12, 2), Unit(12, 12))
        self.shortcut = nn.Conv2d(8, 12, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(12)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.first(x)
        x = self.second(x) + self.shortcut(x)
        return self.head(F.relu(self.norm(x)).mean((2, 3)))


class PreNormDense(nn.Module):
    """The result is a map: that of the last layer beside the pooled one before it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.layers = nn.ModuleList(Unit(6 + 4 * i, 4) for i in range(2))
        self.transition = nn.Sequential(nn.BatchNorm2d(14), nn.ReLU(), nn.Conv2d(14, 6, 1), nn.AvgPool2d(2))
        self.norm = nn.BatchNorm2d(6)
        self.last = Unit(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for layer in self.layers:
            x = torch.cat((x, layer(x)), 1)
        x = self.norm(self.transition(x))
        return torch.cat((F.max_pool2d(x, 3, 1, 1), self.last(x)), 1)


class Sums(nn.Module):
    """It normalises the images itself; the last sum is its result."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(3, 3, 3, padding=1) for _ in "abc")
        self.gain = nn.Parameter(torch.tensor([0.5, -1.25, 0.75]).view(3, 1, 1))
        self.d = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.hidden = nn.Conv2d(8, 8, 1)
        self.left, self.right = nn.Linear(8, 5), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = x * 0.5 + 0.125
        a, b, c = (F.relu(conv(x)) for conv in (self.a, self.b, self.c))
        y = a + (b + c)  # of ReLUs, nested
        y = (y + y) * self.gain - x  # of a map with itself, of the pixels
        y = F.max_pool2d(y, 3, 1, 1) + F.avg_pool2d(1 - x, 3, 1, 1)  # of pools
        y = F.relu(self.d(y)) / 2
        y = y - F.relu(self.hidden(y))
        y = y.mean((2, 3))
        return F.relu(self.left(y)) + self.right(y)


NETS = {"preactivation": PreActivation, "dense": PreNormDense, "sums": Sums}


@pytest.fixture(scope="module", params=NETS)
def model(request) -> nn.Module:
    torch.manual_seed(15)
    return networks.settled(sparse(decompose(NETS[request.param](), 4)))


@pytest.fixture(scope="module")
def files(model: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return networks.forms(model, tmp_path_factory.mktemp("affine_nets"))


@pytest.mark.parametrize("form", ["pt2", "onnx"])
def test_it_is_read_and_quantized(form: str, files: dict[str, Path], model: nn.Module) -> None:
    networks.assert_float(files[form], model)
    networks.assert_integers_near(files[form], model, 0.08)


def test_every_engine_computes_the_same(files: dict[str, Path], model: nn.Module, tmp_path: Path) -> None:
    project = networks.generated(files["pt2"], tmp_path / "project")
    assert sum(isinstance(node.op, Affine) for node in project.graph) >= 3
    assert project.graph.output.op.out_spec.qtype == QType(16, True)
    if isinstance(model, PreNormDense):
        assert isinstance(project.graph.output.op, Concat)
    # Convolutions on maps as small as these hold each other up, with and without affine operators between them.
    networks.assert_engines_agree(project)
