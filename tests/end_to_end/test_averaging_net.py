"""A network with ReLU6 behind its convolutions that halves its maps by average pooling: 3x3 windows with padding, 2x2
windows, and one of a signed map, with the ReLU behind it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from penni_hls.compression.decompose import decompose
from penni_hls.ir import interpreter
from penni_hls.ir.ops import AvgPool, Clip

from ..checkpoint.traced_nets import sparse
from . import networks

pytestmark = pytest.mark.slow


def unit(inputs: int, channels: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, channels, 3, stride, padding=1, bias=False), nn.BatchNorm2d(channels)]


class AveragingNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *unit(3, 8), nn.ReLU6(), nn.AvgPool2d(3, stride=2, padding=1),
            *unit(8, 12), nn.ReLU6(inplace=True), nn.AvgPool2d(2),
            *unit(12, 10), nn.AvgPool2d(2), nn.ReLU(),
        )  # fmt: skip
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(40, 16), nn.Hardtanh(-0.25, 0.25), nn.Linear(16, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.features(x), 1))


@pytest.fixture(scope="module")
def model() -> nn.Module:
    """BatchNorm gives the maps behind ReLU6 a spread at which many values reach 6."""
    torch.manual_seed(12)
    model = networks.settled(sparse(decompose(AveragingNet(), 4)))
    with torch.no_grad():
        for index in (1, 5):
            model.features[index].weight *= 5
        model.train()(networks.normalised(networks.CALIBRATION))
    return model.eval()


@pytest.fixture(scope="module")
def files(model: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return networks.forms(model, tmp_path_factory.mktemp("averaging_net"))


@pytest.mark.parametrize("form", ["pt2", "onnx"])
def test_it_is_read_and_quantized(form: str, files: dict[str, Path], model: nn.Module) -> None:
    networks.assert_float(files[form], model)
    networks.assert_integers_near(files[form], model, 0.05)


def test_every_engine_computes_the_same(files: dict[str, Path], tmp_path: Path) -> None:
    project = networks.generated(files["pt2"], tmp_path / "project")
    pools = [(op.kernel, op.stride, op.pad) for op in (node.op for node in project.graph) if isinstance(op, AvgPool)]
    assert pools == [(3, 2, 1), (2, 2, 0), (2, 2, 0)]
    assert [node.name for node in project.graph if isinstance(node.op, Clip)] == ["features.11", "classifier.1.clip"]
    maps = interpreter.run(project.graph, networks.UNSEEN)
    for name in ("features.0.mac", "features.4.mac"):  # the end of the type stands for 6
        assert 0.05 < (maps[name].values == 255).mean() < 0.5
    networks.assert_engines_agree(project)
