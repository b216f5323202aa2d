"""A network of windows whose rows and columns, or sides, differ: 5x5 split into 1x5 and 5x1, strides of their own,
strides larger than the kernel, padding on one side only, a padded 1x1 convolution, dilation, pooling rounded up."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penni_hls.ir.ops import AvgPool, BasisConv, DepthwiseConv, MaxPool

from . import networks

pytestmark = pytest.mark.slow


class WindowsNet(nn.Module):
    """The weight of `split` is a product: a decomposed layer of 3x1 kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.along = nn.Conv2d(3, 6, (1, 5), padding=(0, 2), bias=False)
        self.down = nn.Sequential(nn.Conv2d(6, 8, (5, 1), stride=(2, 1), padding=(2, 0)), nn.BatchNorm2d(8), nn.ReLU())
        self.pool = nn.MaxPool2d((1, 3), stride=(1, 2), ceil_mode=True)
        self.point = nn.Conv2d(8, 6, 1, padding=1)
        self.depthwise = nn.Conv2d(6, 6, (3, 2), stride=(1, 2), groups=6)
        self.dilated = nn.Conv2d(6, 8, 3, padding=2, dilation=2)
        self.coefs = nn.Parameter(torch.randn(8 * 8, 2) * 0.2 * (torch.rand(8 * 8, 2) > 0.4))
        self.basis = nn.Parameter(torch.randn(2, 3))
        self.apart = nn.Conv2d(8, 8, (1, 2), stride=(2, 3))
        self.mean = nn.AvgPool2d((2, 1))
        self.head = nn.Linear(8 * 2 * 2, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.down(F.relu(self.along(x))))
        x = F.relu(self.depthwise(F.relu(self.point(x))))
        x = F.relu(self.dilated(F.pad(x, (0, 1, 0, 0))))
        x = F.relu(F.conv2d(x, (self.coefs @ self.basis).view(8, 8, 3, 1), padding=(1, 0)))
        return self.head(torch.flatten(self.mean(F.relu(self.apart(x))), 1))


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(21)
    return networks.settled(WindowsNet())


@pytest.fixture(scope="module")
def files(model: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return networks.forms(model, tmp_path_factory.mktemp("windows_net"))


@pytest.mark.parametrize("form", ["pt2", "onnx"])
def test_it_is_read_and_quantized(form: str, files: dict[str, Path], model: nn.Module) -> None:
    networks.assert_float(files[form], model)
    networks.assert_integers_near(files[form], model, 0.05)


def test_every_engine_computes_the_same(files: dict[str, Path], tmp_path: Path) -> None:
    project = networks.generated(files["onnx"], tmp_path / "project")
    ops = [node.op for node in project.graph]
    kernels = [op.window.kernel for op in ops if isinstance(op, BasisConv)]
    assert kernels == [(1, 5), (5, 1), (3, 3), (5, 5), (3, 1), (2, 3)]
    sums = [len(op.bases) for op in ops if isinstance(op, BasisConv)]
    assert sums == [5, 5, 1, 9, 2, 2]  # taps that are 0 everywhere cost no basis map
    assert [op.window.kernel for op in ops if isinstance(op, DepthwiseConv)] == [(3, 2)]
    assert [op.window.pads for op in ops if isinstance(op, MaxPool)] == [(0, 0, 0, 1)]
    assert [op.window.kernel for op in ops if isinstance(op, AvgPool)] == [(2, 1)]
    networks.assert_engines_agree(project)
