"""What is written elsewhere computes what the network computes, and can be read back."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import safetensors.torch
import torch

import penni_hls
from penni_hls.accuracy import predict_float
from penni_hls.checkpoint import load, read
from penni_hls.checkpoint.module import from_module
from penni_hls.errors import UsageError
from penni_hls.export import export, to_torch
from penni_hls.ir.graph import Graph, Node
from penni_hls.ir.layers import Add, BatchNorm, Conv, GlobalAvgPool, Input, Linear, MapSpec, PenniConv, Relu

from ..checkpoint.traced_nets import MEANS, NETS, STDS, assert_factors, normalised, numbers, pixels, resnet


@cache
def graph_of(net: str) -> tuple[Graph, torch.nn.Module]:
    make, shape = NETS[net]
    model = make()
    return from_module(model, shape, *numbers(shape)), model


def mixed() -> Graph:
    """What the traced networks have not: a convolution and an add behind a linear layer, BatchNorm behind one."""
    rng = np.random.default_rng(3)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    x, vector = MapSpec((6, 5, 3)), MapSpec((1, 1, 4))
    norm = BatchNorm(vector, normal(4), normal(4), normal(4), np.abs(normal(4)), 0.25)
    return Graph(
        (
            Node("input", Input(x, MEANS[:3], STDS[:3])),
            Node("forward", Linear(x, normal(4, 90), normal(4)), ("input",)),
            Node("norm", norm, ("forward",)),
            Node("relu", Relu(vector), ("norm",)),
            Node("side", PenniConv(x, normal(2, 3, 3), normal(4, 3, 2), 2, 1, normal(4)), ("input",)),
            Node("pool", GlobalAvgPool(MapSpec((3, 3, 4))), ("side",)),
            Node("add", Add(vector), ("pool", "relu")),
            Node("last", Conv(vector, normal(7, 4, 1, 1)), ("add",)),
        )
    )


def assert_same(found: np.ndarray, graph: Graph, images: np.ndarray) -> None:
    wanted = predict_float(graph, images)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def images_of(graph: Graph) -> np.ndarray:
    h, w, c = graph.input.op.out_spec.shape
    return pixels((c, h, w))


def run_onnx(path: Path, x: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"images": x.numpy()})[0]


@pytest.mark.parametrize("penni", [False, True])
@pytest.mark.parametrize("net", [*NETS, "mixed"])
def test_a_plain_module_computes_the_same(net: str, penni: bool) -> None:
    graph = mixed() if net == "mixed" else graph_of(net)[0]
    images = images_of(graph)
    module = to_torch(graph, penni=penni)
    assert not module.training
    assert not any(type(part).__module__.startswith("penni_hls") for part in module.modules())
    with torch.no_grad():
        assert_same(module(normalised(images)).numpy(), graph, images)


@pytest.mark.parametrize("penni", [False, True])
@pytest.mark.parametrize("net", [*NETS, "mixed"])
def test_onnx_computes_the_same_in_onnxruntime(net: str, penni: bool, tmp_path: Path) -> None:
    graph = mixed() if net == "mixed" else graph_of(net)[0]
    images, path = images_of(graph), tmp_path / "net.onnx"
    export(graph, path, penni=penni)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    assert_same(run_onnx(path, normalised(images)), graph, images)
    if net != "mixed":  # a convolution behind a linear layer has no map to go by
        mean, std = graph.input.op.mean, graph.input.op.std
        again = read(path, mean=mean, std=std)
        assert [node.name for node in again] == [node.name for node in graph]
        assert_same(predict_float(again, images), graph, images)


def test_state_dict_of_a_module_has_the_names_of_the_model() -> None:
    graph, model = graph_of("dense option A")
    found, wanted = to_torch(graph).state_dict(), model.state_dict()
    assert set(found) == set(wanted)
    for key, value in wanted.items():
        if not key.endswith("num_batches_tracked"):
            torch.testing.assert_close(found[key], value, rtol=0, atol=0)


@pytest.mark.parametrize("suffix", [".onnx", ".pt2", ".pt", ".safetensors", ".penni"])
def test_with_its_factors_a_network_reads_back_the_same(suffix: str, tmp_path: Path) -> None:
    graph, model = wide_option_a()
    path = tmp_path / f"net{suffix}"
    written = export(graph, path, penni=True)
    assert written.penni and written.size == path.stat().st_size
    again = load(path, mean=graph.input.op.mean, std=graph.input.op.std).graph
    assert_factors(again, model)
    images = images_of(graph)
    assert_same(predict_float(again, images), graph, images)


@cache
def wide_option_a() -> tuple[Graph, torch.nn.Module]:
    """For state dicts, which mean 32 x 32 images; its shortcut's zeros are not split evenly."""
    model = resnet("A")
    model.layer2[0].shortcut.split(1, 3)
    return from_module(model, (3, 32, 32), *numbers((3, 32, 32))), model


@pytest.mark.parametrize("suffix", [".onnx", ".pt2", ".pt", ".safetensors"])
def test_dense_weights_are_products_of_the_factors(suffix: str, tmp_path: Path) -> None:
    graph, model = wide_option_a()
    path = tmp_path / f"net{suffix}"
    assert not export(graph, path).penni
    again = load(path, mean=graph.input.op.mean, std=graph.input.op.std).graph
    conv = again.by_name["layer1.0.conv1"].op
    assert isinstance(conv, Conv)
    np.testing.assert_allclose(conv.weight, model.layer1[0].conv1.weight().detach().numpy(), rtol=0, atol=1e-6)
    images = images_of(graph)
    assert_same(predict_float(again, images), graph, images)


ELSEWHERE = """
import sys, numpy as np, torch
sys.modules["penni_hls"] = None
x = torch.from_numpy(np.load(sys.argv[2]))
with torch.no_grad():
    np.save(sys.argv[3], torch.export.load(sys.argv[1]).module()(x).numpy())
"""


@pytest.mark.slow
def test_an_archive_runs_without_penni_hls(tmp_path: Path) -> None:
    graph, _ = graph_of("option A")
    images = images_of(graph)
    export(graph, tmp_path / "net.pt2")
    np.save(tmp_path / "x.npy", normalised(images).numpy())
    files = [str(tmp_path / name) for name in ("net.pt2", "x.npy", "y.npy")]
    subprocess.run([sys.executable, "-c", ELSEWHERE, *files], check=True, cwd=tmp_path)
    assert_same(np.load(tmp_path / "y.npy"), graph, images)


def test_the_state_dict_is_torchs_own(tmp_path: Path) -> None:
    graph, model = graph_of("dense option A")
    export(graph, tmp_path / "net.pt")
    export(graph, tmp_path / "net.safetensors")
    plain = torch.load(tmp_path / "net.pt", weights_only=True)
    assert set(plain) == set(model.state_dict())
    for state in (plain, safetensors.torch.load_file(tmp_path / "net.safetensors")):
        fresh = resnet("A", None)
        fresh.load_state_dict(state)
        torch.testing.assert_close(fresh.layer2[0].conv1.weight, model.layer2[0].conv1.weight, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["net", "net.txt", "net.th"])
def test_another_suffix(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"must be one of \.onnx, \.pt2"):
        export(mixed(), tmp_path / name)


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").mkdir()
    with pytest.raises(UsageError, match="cannot write"):
        export(mixed(), tmp_path / "net.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    graph, _ = graph_of("option B")
    for suffix in (".onnx", ".safetensors", ".penni"):
        first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
        export(graph, first, penni=True)
        export(graph, second, penni=True)
        assert first.read_bytes() == second.read_bytes()


# The command.


def test_the_command(command: Any, small_checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "small.onnx"
    done = command("export", small_checkpoint, "-o", target)
    assert done.code == 0 and f"{target}: ONNX, opset 17, dense weights, " in done.out
    assert "(N, 3, 32, 32), normalised: (pixel / 255 - mean) / std with mean 0.4914,0.4822,0.4465" in done.out
    graph = read(small_checkpoint)
    images = images_of(graph)
    x = torch.from_numpy(graph.input.op.reference(images)).permute(0, 3, 1, 2).contiguous()
    assert_same(run_onnx(target, x), graph, images)


def test_the_command_for_scripts(command: Any, small_checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "small.penni"
    done = command("export", small_checkpoint, "-o", target, "--mean", ".5,.5,.5", "--std", ".2,.2,.2", "--json")
    decomposed = sum(isinstance(node.op, PenniConv) for node in read(small_checkpoint))
    assert done.code == 0 and done.json == {
        "checkpoint": str(small_checkpoint),
        "output": str(target),
        "form": "penni-hls sparse",
        "penni": True,
        "decomposed": decomposed,
        "bytes": target.stat().st_size,
        "input": [3, 32, 32],
        "mean": [0.5, 0.5, 0.5],
        "std": [0.2, 0.2, 0.2],
        "classes": 10,
    }
    assert read(target).input.op.mean == (0.5, 0.5, 0.5)


def test_the_command_refuses_in_one_line(command: Any, small_checkpoint: Path, tmp_path: Path) -> None:
    done = command("export", small_checkpoint, "-o", tmp_path / "small.tflite", "--json")
    assert done.code == 2 and "must be one of .onnx" in json.loads(done.out)["error"]
    missing = command("export", tmp_path / "none.pt", "-o", tmp_path / "small.onnx")
    assert missing.code == 2 and missing.err.count("\n") == 1 and not list(tmp_path.iterdir())


def test_from_python(small_checkpoint: Path) -> None:
    graph = read(small_checkpoint)
    images = images_of(graph)
    x = torch.from_numpy(graph.input.op.reference(images)).permute(0, 3, 1, 2)
    with torch.no_grad():
        assert_same(penni_hls.to_torch(small_checkpoint)(x).numpy(), graph, images)


@pytest.mark.shared
@pytest.mark.parametrize("suffix", [".onnx", ".pt2", ".penni"])
def test_a_known_checkpoint_there_and_back(suffix: str, shared_models: Path, tmp_path: Path) -> None:
    graph = read(shared_models / "r20_penni.pt")
    export(graph, tmp_path / f"r20{suffix}", penni=True)
    again = read(tmp_path / f"r20{suffix}")
    for node in graph:
        if isinstance(node.op, PenniConv):
            np.testing.assert_array_equal(again.by_name[node.name].op.coefs, node.op.coefs)
            np.testing.assert_array_equal(again.by_name[node.name].op.basis, node.op.basis)
    images = images_of(graph)[:1]
    assert_same(predict_float(again, images), graph, images)
