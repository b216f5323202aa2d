"""The examples: small, plain, and as examples/README.md describes them; the names that docs/compression.md imports."""

import ast
import importlib
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from penni_hls.accuracy import predict_float, top1
from penni_hls.checkpoint import read
from penni_hls.compression.count import count
from penni_hls.compression.decompose import load_penni
from penni_hls.data import load_cifar10, load_images
from penni_hls.ir.layers import Count
from penni_hls.training.batches import Batches
from penni_hls.training.train import evaluate
from penni_hls.zoo.models import build, dense_state

from .nets import SHARED

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def resnet8():
    return load_penni(build("resnet8"), dense_state(torch.load(EXAMPLES / "resnet8.pt", weights_only=True)))


def test_input_is_what_its_script_draws(tmp_path):
    subprocess.run([sys.executable, EXAMPLES / "make_demo_input.py", tmp_path / "x.npz"], check=True)
    drawn, kept = load_images(tmp_path / "x.npz").images, load_images(EXAMPLES / "demo_input.npz").images
    assert np.array_equal(drawn, kept) and kept.shape == (8, 32, 32, 3)
    assert len({image.tobytes() for image in kept}) == 8


def test_resnet8_is_small_and_counts_what_the_readme_says():
    assert (EXAMPLES / "resnet8.pt").stat().st_size < 200_000
    got = count(resnet8())
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for number in (got.parameters, got.macs, got.read_basis_macs, got.sparse_macs, got.paper_macs):
        assert re.search(rf"(?<![\d,]){number:,}(?![\d,])", readme), number
    assert got.parameters <= 0.2 * 78_042 and got.macs <= 0.25 * 12_501_632


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_resnet8_scores_what_the_readme_says():
    said = re.search(r"([\d.]+) % as stored", (EXAMPLES / "README.md").read_text(encoding="utf-8"))
    assert said
    accuracy = evaluate(resnet8(), Batches(load_cifar10(SHARED / "data"), 500, train=False))
    assert accuracy == pytest.approx(float(said[1]), abs=0.05)  # another CPU may round a few logits the other way


def test_resnet18_is_small_and_counts_what_the_readme_says():
    path = EXAMPLES / "resnet18.penni"
    assert path.stat().st_size < 2_000_000
    got = sum((node.op.count for node in read(path)), Count())
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for number in (path.stat().st_size, got.parameters, got.read_basis_macs, got.sparse_macs):
        assert re.search(rf"(?<![\d,]){number:,}(?![\d,])", readme), number
    assert got.parameters <= 0.03 * 11_173_962


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_resnet18_scores_what_the_readme_says():
    said = re.search(r"([\d.]+) % of the first 1,000", (EXAMPLES / "README.md").read_text(encoding="utf-8"))
    assert said
    test = load_cifar10(SHARED / "data")
    graph = read(EXAMPLES / "resnet18.penni")
    accuracy = top1(partial(predict_float, graph), test.images[:1000], test.labels[:1000])
    assert accuracy == pytest.approx(float(said[1]), abs=0.2)  # another CPU may round a few logits the other way


def test_the_documentation_imports_what_there_is():
    text = (ROOT / "docs" / "compression.md").read_text(encoding="utf-8")
    imports = [
        node
        for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for node in ast.parse(block).body
        if isinstance(node, ast.ImportFrom)
    ]
    assert len(imports) >= 4
    for node in imports:
        module = importlib.import_module(str(node.module))
        assert [name.name for name in node.names if not hasattr(module, name.name)] == []
