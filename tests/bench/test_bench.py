"""What the scripts of bench/ make: networks of a given sparsity, the dense equivalent that the peer gets, its size."""

import importlib.util
import math
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from penni_hls.compression.count import count
from penni_hls.compression.decompose import PenniConv2d, decompose
from penni_hls.export import to_torch
from penni_hls.recipes.storage import graph
from penni_hls.target.resources import Resources
from penni_hls.zoo.models import build

BENCH = Path(__file__).resolve().parents[2] / "bench"
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


@pytest.fixture(autouse=True)
def scripts_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))


def script(name: str):
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("arch,d,sparsity", [("resnet8", 3, 0.9), ("resnet20", 5, 0.5)])
def test_random_network_has_the_sparsity_that_is_asked_for(arch, d, sparsity):
    model, (kept, of) = script("make_network").random_network(arch, d, sparsity, seed=0)
    again, _ = script("make_network").random_network(arch, d, sparsity, seed=0)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))
    assert kept / of == pytest.approx(1 - sparsity, abs=0.01)
    counted = count(model)
    assert sum(layer.nonzero for layer in counted.layers if layer.bases or layer.taps == 1 and layer.pixels > 1) == kept
    assert {module.d for module in model.modules() if isinstance(module, PenniConv2d)} == {d}
    spread = to_torch(graph(model, MEAN, STD))(torch.rand(16, 3, 32, 32)).std(0)
    assert spread.isfinite().all() and spread.min() > 0


@pytest.mark.parametrize("arch", ["resnet8", "resnet20"])  # shortcuts with and without parameters
def test_dense_equivalent_computes_the_same(arch):
    torch.manual_seed(1)
    sparse = graph(decompose(build(arch), 4), MEAN, STD)
    dense = script("peer_nngen").equivalent(sparse)
    assert {type(node.op).__name__ for node in dense} <= {"Input", "Conv", "Relu", "Add", "GlobalAvgPool", "Linear"}
    x = torch.randn(2, 3, 32, 32)
    expected = to_torch(sparse)(x)
    assert torch.allclose(to_torch(dense)(x), expected, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize("limit", [20, 142, 144, 400])
def test_choices_lie_around_the_limit(limit):
    peer = script("peer_nngen")
    dense = peer.equivalent(graph(decompose(build("resnet8"), 4), MEAN, STD))
    below, above = (9 * math.prod(par) for par in peer.choices(dense, limit))
    assert below <= limit < above
    assert above == 2 * below  # powers of two


def test_points_of_a_sweep_vary_one_thing(monkeypatch):
    sweep = script("sweep")
    options = type("", (), {"board": "b", "only": ("d", "bits"), "sparsity": [], "d": [2, 9], "bits": [4]})
    centre = replace(sweep.CENTRE, arch="resnet20", board="b")
    found = list(sweep.points("resnet20", options))
    assert [p.d for p in found[:2]] == [2, 9]
    assert all(replace(p, d=5, basis_bits=8, coef_bits=8) == centre for p in found)
    assert [(p.basis_bits, p.coef_bits) for p in found[2:]] == [(4, 8), (8, 4)]


def test_results_of_a_sweep_are_read_back(tmp_path):
    sweep = script("sweep")
    assert Resources().as_dict().keys() <= {field.name for field in fields(sweep.Result)}
    point = replace(sweep.CENTRE, arch="resnet20", board="pynq-z2", d=3)
    result = sweep.Result(point, 20480, 22370.1, 21505.0, 122.0, 39.0, 0.0, 92, True)
    sweep.save({point: result}, tmp_path)
    assert sweep.load(tmp_path / "sweep.json") == {point: result}
    assert (tmp_path / "sweep.csv").read_text().splitlines()[1].startswith("resnet20,pynq-z2,0.95,3,8,8,False,20480")
