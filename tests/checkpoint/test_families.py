"""Each family: what torch computes from the state, the graph that was read computes too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from penni_hls.accuracy import predict_float
from penni_hls.checkpoint import describe, read
from penni_hls.ir.layers import Add, Conv, Count, MaxPool, PadShortcut, PenniConv

from .models import ResNet, Vgg, decomposed, randomised

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
PLAN16 = [8, 8, "M", 8, 8, "M", 16, 16, 16, "M", 16, 16, 16, "M", 16, 16, 16, "M"]

FAMILIES = {
    "resnet8, option A, linear": (lambda: ResNet((1, 1, 1), (4, 8, 16), None, "linear"), 32),
    "resnet14, odd widths, option A": (lambda: ResNet((2, 2, 2), (3, 6, 11), None, "linear"), 32),
    "resnet14, option B, shortcut": (lambda: ResNet((2, 2, 2), (4, 8, 16), "shortcut", "linear"), 32),
    "resnet18 shape, downsample, fc": (lambda: ResNet((2, 2, 2, 2), (4, 8, 12, 16), "downsample", "fc"), 32),
    "resnet34 shape, imagenet": (lambda: ResNet((3, 4, 6, 3), (4, 6, 8, 8), "downsample", "fc", imagenet=True), 224),
    "vgg16, one linear": (lambda: Vgg(PLAN16, 32, 0), 32),
    "vgg, three linears, no last pool": (lambda: Vgg([4, "M", 8, 8], 32, 12, bias=False), 32),
    "vgg16, imagenet": (lambda: Vgg(PLAN16, 224, 16), 224),
}


def images(n: int, side: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def torch_logits(model: torch.nn.Module, pixels: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    x = (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.no_grad():
        return model(x).numpy()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("penni", [False, True], ids=["plain", "decomposed"])
def test_a_family_computes_what_torch_computes(family: str, penni: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    make, side = FAMILIES[family]
    model = randomised(make())
    state = model.state_dict()
    if penni:
        state = decomposed(state)
        dense = {
            key.replace("coefs", "weight"): (value @ state[key.replace("coefs", "basis")]).reshape(
                model.state_dict()[key.replace("coefs", "weight")].shape
            )
            for key, value in state.items()
            if key.endswith("coefs")
        }
        model.load_state_dict(dense, strict=False)
    torch.save(state, tmp_path / "net.pt")
    graph = read(tmp_path / "net.pt", mean=MEAN, std=STD)
    pixels = images(2, side)
    want = torch_logits(model, pixels)
    np.testing.assert_allclose(predict_float(graph, pixels), want, rtol=1e-3, atol=1e-3 * np.abs(want).max())
    kinds = {type(node.op) for node in graph}
    assert (PenniConv in kinds) == penni


def saved(tmp_path: Path, state: object) -> Path:
    torch.save(state, tmp_path / "net.pt")
    return tmp_path / "net.pt"


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(randomised(ResNet((1, 1, 1), (4, 8, 16), None, "linear")).state_dict())


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {"state_dict": s, "epoch": 3, "best": 91.5},
        lambda s: {"model": s, "optimizer": {"lr": torch.tensor(0.1)}},
        lambda s: {"net": {"state_dict": s}},
        lambda s: {f"module.{k}": v for k, v in s.items()},
        lambda s: {"state_dict": {f"_orig_mod.module.model.{k}": v for k, v in s.items()}},
    ],
)
def test_wrappers_and_prefixes_come_off(wrap, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    plain = read(saved(tmp_path, state))
    wrapped = read(saved(tmp_path, wrap(state)))
    assert [node.name for node in wrapped] == [node.name for node in plain]
    pixels = images(1, 32)
    np.testing.assert_array_equal(predict_float(wrapped, pixels), predict_float(plain, pixels))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(dtype: torch.dtype, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    cast = {key: value.to(dtype) if value.is_floating_point() else value for key, value in state.items()}
    graph = read(saved(tmp_path, cast))
    conv = graph.by_name["conv1"].op
    assert isinstance(conv, Conv) and conv.weight.dtype == np.float32
    np.testing.assert_array_equal(conv.weight, cast["conv1.weight"].float().numpy())


def test_decomposed_and_plain_layers_mix(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    mixed = dict(state)
    weight = mixed.pop("layer2.0.conv2.weight")
    basis, coefs = torch.eye(9)[:4], weight.reshape(-1, 9)[:, :4].contiguous()
    mixed["layer2.0.conv2.basis"], mixed["layer2.0.conv2.coefs"] = basis, coefs
    conv = read(saved(tmp_path, mixed)).by_name["layer2.0.conv2"].op
    assert isinstance(conv, PenniConv)
    # Row o*C_in + i of `coefs` makes kernel (o, i): its first four taps are the weight's, the others 0.
    kept = np.where(np.arange(9).reshape(3, 3) < 4, weight.numpy(), 0)
    np.testing.assert_array_equal(conv.weight(), kept)


def test_structure_of_option_a(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    graph = read(saved(tmp_path, state))
    shortcut = graph.by_name["layer2.0.shortcut"].op
    assert isinstance(shortcut, PadShortcut)
    assert (shortcut.stride, shortcut.offset, shortcut.out_spec.shape) == (2, 2, (16, 16, 8))
    assert graph.by_name["layer1.0.add"].inputs == ("layer1.0.bn2", "relu")
    assert sum(isinstance(node.op, Add) for node in graph) == 3
    assert not any(isinstance(node.op, MaxPool) for node in graph)
    assert describe(graph).startswith("ResNet-8, 4-8-16 channels, option-A shortcuts, 3x3 stem, 0 of 7 ")


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "figures", "text"),
    [
        (
            "r20_penni.pt",
            (269_722, 39_276, 40_551_040, 6_478_272, 5_182_464),
            "ResNet-20, 16-32-64 channels, option-A shortcuts, 3x3 stem, 19 of 19 convolutions decomposed, "
            "32x32x3 input, 10 classes",
        ),
        (
            "r18_penni.pt",
            (11_173_962, 360_607, 555_422_720, 19_423_872, 42_088_416),
            "ResNet-18, 64-128-256-512 channels, option-B shortcuts, 3x3 stem, 17 of 20 convolutions decomposed, "
            "32x32x3 input, 10 classes",
        ),
    ],
)
def test_sizes_of_known_networks(name: str, figures: tuple[int, ...], text: str, shared_models: Path) -> None:
    """The figures that were published with these checkpoints."""
    graph = read(shared_models / name)
    got = sum((node.op.count for node in graph), Count())
    parameters = (got.dense_parameters, got.parameters)
    assert (*parameters, got.dense_macs, got.read_basis_macs, got.sparse_macs) == figures
    assert describe(graph) == text
