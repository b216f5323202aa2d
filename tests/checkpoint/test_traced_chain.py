"""A network of no known family goes the whole way: file -> integers -> C++ that computes the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import penni_hls
from penni_hls.accuracy import predict_float
from penni_hls.checkpoint import read
from penni_hls.compression.decompose import decompose
from penni_hls.export import export
from penni_hls.ir import interpreter
from penni_hls.quantize import quantize

from .test_pt2 import saved
from .traced_nets import Custom, custom, numbers, pixels, randomised, sparse


@pytest.mark.parametrize("suffix", [".pt2", ".onnx"])
def test_integers_follow_the_float_network(suffix: str, tmp_path: Path) -> None:
    shape = (1, 20, 28)
    mean, std = numbers(shape)
    path = saved(custom(), shape, tmp_path / "net.pt2")
    if suffix == ".onnx":
        path = export(read(path, mean=mean, std=std), tmp_path / "net.onnx").path
    graph = read(path, mean=mean, std=std)
    images = (pixels(shape, 40) * np.linspace(0, 1, 40)[:, None, None, None]).astype(np.uint8)  # so that logits differ
    quantized = quantize(graph, calibration=images)
    logits = interpreter.run(quantized.graph, images)[quantized.graph.output.name].values.reshape(len(images), -1)
    real = predict_float(graph, images)
    spread = real.std(axis=0).mean()
    assert np.abs(logits * quantized.logit_scale - real).max() < 0.5 * spread


class Cancelled(torch.nn.Module):
    """x - x is 0, and the BatchNorm behind it has seen nothing else: its gain is 1 / sqrt(eps)."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(3)
        self.norm.running_var.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norm(x - x) + x + x)


@pytest.mark.parametrize("suffix", [".pt2", ".onnx"])
def test_a_map_minus_itself_is_exactly_0(suffix: str, tmp_path: Path) -> None:
    shape = (3, 6, 6)
    mean, std = numbers(shape)
    path = saved(Cancelled().eval(), shape, tmp_path / "net.pt2")
    if suffix == ".onnx":
        path = export(read(path, mean=mean, std=std), tmp_path / "net.onnx").path
    images = pixels(shape, 20)
    quantized = quantize(read(path, mean=mean, std=std), calibration=images)
    found = interpreter.output(quantized.graph, images).values * quantized.logit_scale
    real = (images / 255 - np.array(mean)) / np.array(std)
    assert np.abs(found - np.maximum(2 * real, 0)).max() < 0.02 * real.max()


@pytest.mark.slow
def test_generate_and_csim(command, tmp_path: Path) -> None:
    torch.manual_seed(9)
    model = sparse(decompose(randomised(Custom(3)), 4))
    saved(model, (3, 20, 28), tmp_path / "net.pt2")
    project = penni_hls.generate(tmp_path / "net.pt2", tmp_path / "project", board="pynq-z2", copies=1)
    assert "stem.0.basis" in {node.name for node in project.graph}
    done = command("simulate", tmp_path / "project", "--engine", "csim", "--count", 3, "--json")
    assert done.code == 0 and done.json["bit_exact"] is True
