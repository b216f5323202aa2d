"""A U-Net: an encoder with max pooling, a decoder with upsampling and concatenated skips; its result is an image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penni_hls.compression.decompose import decompose
from penni_hls.data import Images
from penni_hls.errors import UsageError
from penni_hls.ir.ops import Concat, Upsample
from penni_hls.recipes.evaluate import evaluate

from ..checkpoint.traced_nets import sparse
from . import networks

pytestmark = pytest.mark.slow


def unit(inputs: int, channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU())


class UNet(nn.Module):
    """Two levels; both ways to write upsampling; two values for each pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([unit(3, 6), unit(6, 8)])
        self.bottom = unit(8, 10)
        self.up = nn.ModuleList([unit(10 + 8, 8), unit(8 + 6, 18)])
        self.twice = nn.Upsample(scale_factor=2)
        self.head = nn.Conv2d(18, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.down[0](x)
        second = self.down[1](F.max_pool2d(first, 2))
        x = self.bottom(F.max_pool2d(second, 2))
        x = self.up[0](torch.cat([self.twice(x), second], 1))
        x = self.up[1](torch.cat([first, F.interpolate(x, size=(16, 16))], 1))
        return self.head(x)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(12)
    return networks.settled(sparse(decompose(UNet(), 4)))


@pytest.fixture(scope="module")
def files(model: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return networks.forms(model, tmp_path_factory.mktemp("unet"))


@pytest.mark.parametrize("form", ["pt2", "onnx"])
def test_it_is_read_and_quantized(form: str, files: dict[str, Path], model: nn.Module) -> None:
    networks.assert_float(files[form], model)
    networks.assert_integers_near(files[form], model, 0.08)  # of each pixel, behind five decomposed layers


def test_every_engine_computes_the_same(files: dict[str, Path], tmp_path: Path) -> None:
    project = networks.generated(files["pt2"], tmp_path / "project")
    assert [sum(isinstance(node.op, kind) for node in project.graph) for kind in (Concat, Upsample)] == [2, 2]
    assert project.graph.output.op.out_spec.shape == (16, 16, 2)
    networks.assert_engines_agree(project)
    assert json.loads((project.path / "driver" / "penni.json").read_text())["result"] == [16, 16, 2]
    assert project.manifest["output"]["classes"] is None
    with pytest.raises(UsageError, match="the result of this network is a 16x16x2 int16 map"):
        evaluate(project, Images(networks.UNSEEN, np.zeros(len(networks.UNSEEN), np.uint8)))
