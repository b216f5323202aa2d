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


@pytest.mark.slow
def test_generate_and_csim(command, tmp_path: Path) -> None:
    torch.manual_seed(9)
    model = sparse(decompose(randomised(Custom(3)), 4))
    saved(model, (3, 20, 28), tmp_path / "net.pt2")
    project = penni_hls.generate(tmp_path / "net.pt2", tmp_path / "project", board="pynq-z2")
    assert "stem.0.basis" in {node.name for node in project.graph}
    done = command("simulate", tmp_path / "project", "--engine", "csim", "--count", 3, "--json")
    assert done.code == 0 and done.json["bit_exact"] is True
