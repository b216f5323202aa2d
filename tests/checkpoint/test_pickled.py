"""Files of torch.save and dill, written by a process whose classes cannot be imported here."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from penni_hls.accuracy import predict_float
from penni_hls.checkpoint import CheckpointError, load
from penni_hls.ir.layers import BatchNorm, PenniConv
from penni_hls.quantize import quantize

from .hostile import refused
from .models import ResNet, Vgg, randomised

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
SCRIPT = Path(__file__).with_name("written_elsewhere.py")
MODULE, STATE = "PyTorch module, pickled whole", "PyTorch state dict"

FILES = {
    "module_zip.pth": f"{MODULE} (torch.save, zip)",
    "module_old.pth": f"{MODULE} (torch.save, old format)",
    "module_vgg.h5": f"{MODULE} (torch.save, zip)",
    "module_parallel.pt": f"{MODULE} (torch.save, zip)",
    "module_in_dict.ckpt": f"{MODULE} (torch.save, zip)",
    "penni_checkpoint.ckpt": f"{STATE} (torch.save, zip)",
    "dill_zip.pt": f"{MODULE} (torch.save, zip, by dill)",
    "dill_old.pt": f"{MODULE} (torch.save, old format, by dill)",
    "dill_plain.pkl": f"{MODULE} (a pickle, by dill)",
    "dill_state.pkl": f"{STATE} (a pickle)",
    "dill_protocol2.pkl": f"{MODULE} (a pickle, by dill)",
}


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def written(pixels: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elsewhere")
    script = folder / "elsewhere.py"
    script.write_text(SCRIPT.read_text())
    np.save(folder / "pixels.npy", pixels)
    subprocess.run([sys.executable, script, folder / "pixels.npy", folder], check=True, cwd=folder)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_what_torch_computes_the_graph_computes(name: str, written: Path, pixels: np.ndarray) -> None:
    want = np.load(written / f"{name}.npy")
    before = set(sys.modules)
    loaded = load(written / name, mean=MEAN, std=STD)
    assert not {"elsewhere", "dill"} & (set(sys.modules) - before)
    assert loaded.form == FILES[name]
    np.testing.assert_allclose(predict_float(loaded.graph, pixels), want, rtol=1e-3, atol=1e-3 * np.abs(want).max())


def test_eps_is_taken(written: Path) -> None:
    graph = load(written / "module_zip.pth").graph
    eps = {node.name: node.op.eps for node in graph if isinstance(node.op, BatchNorm)}
    assert (eps["bn1"], eps["layer1.0.bn1"], eps["layer2.0.shortcut.1"]) == (1e-5, 2e-2, 1e-3)


def test_decomposed_layers_of_the_public_code(written: Path) -> None:
    graph = load(written / "dill_plain.pkl").graph
    convs = [node.op for node in graph if isinstance(node.op, PenniConv)]
    assert len(convs) == 7 and all(conv.basis.shape == (5, 3, 3) for conv in convs)


def test_batchnorm_in_the_classifier_is_quantized(written: Path, pixels: np.ndarray) -> None:
    graph = load(written / "module_vgg.h5", mean=MEAN, std=STD).graph
    assert isinstance(graph.by_name["classifer.1"].op, BatchNorm)
    quantized = quantize(graph, calibration=pixels)
    assert not any("classifer.1" in node.name for node in quantized.graph)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_plain_pickle_of_any_binary_protocol(protocol: int, tmp_path: Path) -> None:
    model = randomised(ResNet((1, 1, 1), (4, 8, 16), None, "linear"))
    (tmp_path / "net.pkl").write_bytes(pickle.dumps(model, protocol))
    graph = load(tmp_path / "net.pkl").graph
    np.testing.assert_array_equal(graph.by_name["layer2.0.conv1"].op.weight, model.layer2[0].conv1.weight.detach())


def test_views_of_one_storage(tmp_path: Path) -> None:
    """Transposed and shifted tensors come out as they are seen, not as they lie."""
    model = randomised(ResNet((1, 1, 1), (4, 8, 16), None, "linear"))
    state = dict(model.state_dict())
    state["linear.weight"] = torch.arange(170.0)[10:].reshape(16, 10).T
    torch.save(state, tmp_path / "net.pt")
    weight = load(tmp_path / "net.pt").graph.by_name["linear"].op.weight
    np.testing.assert_array_equal(weight, np.arange(10.0, 170.0).reshape(16, 10).T)


def refusal(model: nn.Module, tmp_path: Path) -> str:
    torch.save(model, tmp_path / "net.pt")
    return refused(tmp_path / "net.pt")


def _changed(path: str, **settings: object):
    def change(model: nn.Module) -> None:
        for name, value in settings.items():
            setattr(model.get_submodule(path), name, value)

    return change


ASKS = "but its architecture requires"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_changed("layer2.0.conv1", stride=(1, 1)), f"layer2.0.conv1 has stride 1, {ASKS} 2"),
        (_changed("layer1.0.conv2", padding=(0, 0)), f"layer1.0.conv2 has padding 0, {ASKS} 1"),
        (_changed("layer1.0.conv2", padding="valid"), f"layer1.0.conv2 has padding 0, {ASKS} 1"),
        (_changed("layer1.0.conv2", dilation=(2, 2)), f"layer1.0.conv2 has dilation 2, {ASKS} 1"),
        (_changed("layer1.0.conv2", stride=(2, 1)), f"layer1.0.conv2 has stride (2, 1), {ASKS} 1"),
        (_changed("conv1", padding_mode="reflect"), f"conv1 has padding_mode reflect, {ASKS} zeros"),
        (_changed("conv1", groups=3), f"conv1 has groups 3, {ASKS} 1"),
        (_changed("bn1", eps=float("nan")), "bn1 has an impossible eps"),
        (_changed("", act=nn.LeakyReLU()), "act is a LeakyReLU, which its architecture does not contain"),
        (_changed("layer2", relu=nn.GELU()), "layer2.relu is a GELU, which its architecture does not contain"),
        (
            _changed("", maxpool=nn.MaxPool2d(3, 2, 1)),
            "maxpool is a MaxPool2d, which its architecture does not contain",
        ),
        (
            _changed("", pool=nn.AvgPool2d(4)),
            "pool does not average over the whole 8x8 map",
        ),
    ],
)
def test_settings_that_are_not_the_familys(change, message: str, tmp_path: Path) -> None:
    model = randomised(ResNet((1, 1, 1), (4, 8, 16), None, "linear"))
    change(model)
    assert refusal(model, tmp_path) == message


@pytest.mark.parametrize(
    "change",
    [
        _changed("", pool=nn.AvgPool2d(8)),
        _changed("", avgpool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), drop=nn.Dropout(), relu=nn.ReLU()),
        _changed("conv1", padding="same"),
    ],
)
def test_settings_that_change_nothing(change, tmp_path: Path) -> None:
    model = randomised(ResNet((1, 1, 1), (4, 8, 16), None, "linear"))
    change(model)
    torch.save(model, tmp_path / "net.pt")
    assert load(tmp_path / "net.pt").graph.by_name["conv1"].op.pad == 1


def test_a_gap_that_is_no_pool(tmp_path: Path) -> None:
    """Names alone look like a pooling layer; the module says that it is none."""
    model = randomised(Vgg([4, "M", 8, "M"], 32, 0))
    model.features[3] = nn.Dropout()
    assert refusal(model, tmp_path) == "features.3 is a Dropout, but the network has a MaxPool there"


def test_a_pool_of_another_size(tmp_path: Path) -> None:
    model = randomised(Vgg([4, "M", 8, "M"], 32, 0))
    model.features[3].kernel_size = 3
    assert refusal(model, tmp_path) == f"features.3 has kernel_size 3, {ASKS} 2"


@pytest.mark.parametrize(
    ("dtype", "message"),
    [(torch.int8, "int8"), (torch.complex64, "complex64"), (torch.bool, "bool")],
)
def test_numbers_that_are_no_weights(dtype: torch.dtype, message: str, tmp_path: Path) -> None:
    state = dict(randomised(ResNet((1, 1, 1), (4, 8, 16), None, "linear")).state_dict())
    state["conv1.weight"] = torch.zeros(4, 3, 3, 3, dtype=dtype)
    torch.save(state, tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match=f"conv1.weight holds {message} numbers, not weights"):
        load(tmp_path / "net.pt")


@pytest.mark.shared
def test_tensors_of_a_gpu(shared_models: Path) -> None:
    """A checkpoint of another's training: the old format, DataParallel, tensors saved from a GPU."""
    path = shared_models / "r20_dense.th"
    assert b"cuda:0" in path.read_bytes()
    loaded = load(path)
    assert loaded.form == f"{STATE} (torch.save, old format)"
    want = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    weight = loaded.graph.by_name["layer3.2.conv2"].op.weight
    np.testing.assert_array_equal(weight, want["module.layer3.2.conv2.weight"])


@pytest.mark.filterwarnings("ignore:.*quantize_per_tensor")
@pytest.mark.parametrize(
    "odd",
    [
        lambda: torch.quantize_per_tensor(torch.zeros(2), 0.1, 0, torch.qint8),
        lambda: torch.eye(3).to_sparse(),
        lambda: torch.zeros(2, dtype=torch.float8_e5m2),
    ],
)
def test_tensors_of_other_kinds(odd, tmp_path: Path) -> None:
    state = dict(randomised(ResNet((1, 1, 1), (4, 8, 16), None, "linear")).state_dict())
    torch.save({**state, "conv1.weight": odd()}, tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match=r"conv1\.weight") as error:
        load(tmp_path / "net.pt")
    assert "\n" not in str(error.value)
