"""Depthwise-separable blocks and a convolution in two groups."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from penni_hls.checkpoint import read
from penni_hls.ir.layers import GroupedConv
from penni_hls.ir.ops import BasisConv, DepthwiseConv

from . import networks

pytestmark = pytest.mark.slow


def unit(inputs: int, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU())


def separable(inputs: int, channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(unit(inputs, inputs, 3, stride, groups=inputs), unit(inputs, channels, 1))


class MobileNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = unit(3, 8, 3)
        self.blocks = nn.Sequential(separable(8, 12), separable(12, 16, stride=2), separable(16, 16))
        self.halves = unit(16, 12, 3, groups=2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.halves(self.blocks(self.stem(x)))).flatten(1))


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(12)
    return networks.settled(MobileNet())


@pytest.fixture(scope="module")
def files(model: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return networks.forms(model, tmp_path_factory.mktemp("mobile_net"))


@pytest.mark.parametrize("form", ["pt2", "onnx"])
def test_it_is_read_and_quantized(form: str, files: dict[str, Path], model: nn.Module) -> None:
    graph = read(files[form], mean=networks.MEAN, std=networks.STD)
    assert [node.op.groups for node in graph if isinstance(node.op, GroupedConv)] == [8, 12, 16, 2]
    networks.assert_float(files[form], model)
    networks.assert_integers_near(files[form], model, 0.05)


@pytest.mark.parametrize("form", ["pt2", "onnx"])
def test_every_engine_computes_the_same(form: str, files: dict[str, Path], tmp_path: Path) -> None:
    project = networks.generated(files[form], tmp_path / "project")
    assert sum(isinstance(node.op, BasisConv) for node in project.graph) == 2  # the stem, and the one in two groups
    own = [node.op for node in project.graph if isinstance(node.op, DepthwiseConv)]
    assert [(op.out_spec.shape, op.stride) for op in own] == [((16, 16, 8), 1), ((8, 8, 12), 2), ((8, 8, 16), 1)]
    networks.assert_engines_agree(project, 2)
