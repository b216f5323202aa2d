"""A network of dense layers: each concatenates what it computes to what it reads. The last one reads a map twice."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from penni_hls.compression.decompose import decompose
from penni_hls.ir.ops import Concat

from ..checkpoint.traced_nets import sparse
from . import networks

pytestmark = pytest.mark.slow

GROWTH = 6


def unit(inputs: int, channels: int, kernel: int = 3) -> nn.Sequential:
    conv = nn.Conv2d(inputs, channels, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU())


class DenseNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = unit(3, 8)
        self.layers = nn.ModuleList(unit(8 + GROWTH * i, GROWTH) for i in range(2))
        self.transition = nn.Sequential(unit(8 + 2 * GROWTH, 10, 1), nn.MaxPool2d(2))
        self.last = unit(10, GROWTH)
        self.head = nn.Linear(2 * 10 + GROWTH, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for layer in self.layers:
            x = torch.cat([x, layer(x)], dim=1)
        x = self.transition(x)
        x = torch.cat([x, x, self.last(x)], dim=1)
        return self.head(x.mean((2, 3)))


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(11)
    return networks.settled(sparse(decompose(DenseNet(), 4)))


@pytest.fixture(scope="module")
def files(model: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return networks.forms(model, tmp_path_factory.mktemp("dense_net"))


@pytest.mark.parametrize("form", ["pt2", "onnx"])
def test_it_is_read_and_quantized(form: str, files: dict[str, Path], model: nn.Module) -> None:
    networks.assert_float(files[form], model)
    networks.assert_integers_near(files[form], model, 0.05)


def test_every_engine_computes_the_same(files: dict[str, Path], tmp_path: Path) -> None:
    project = networks.generated(files["pt2"], tmp_path / "project")
    assert sum(isinstance(node.op, Concat) for node in project.graph) == 4
    networks.assert_engines_agree(project)
