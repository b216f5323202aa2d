"""What cannot be read gets one line that names what stands in the way, and nothing of it runs."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from penni_hls.checkpoint import CheckpointError, read

from .hostile import Runs, refused
from .models import ResNet, Vgg, randomised


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(randomised(ResNet((1, 1, 1), (4, 8, 16), "shortcut", "linear")).state_dict())


def refusal(tmp_path: Path, content: object) -> str:
    """The one line that reading `content` (bytes as they are, anything else through torch.save) ends in."""
    path = tmp_path / "net.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    return refused(path)


@pytest.mark.parametrize("form", ["zip", "legacy", "bare pickle"])
def test_a_pickle_that_would_run_code_does_not(form: str, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    content: object = {"state_dict": {"conv1.weight": Runs(target)}}
    path = tmp_path / "hostile.pt"
    if form == "bare pickle":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    message = refusal(tmp_path, path.read_bytes())
    assert "system" in message and "could run code" in message
    assert not target.exists()


def test_a_module_of_no_known_family(tmp_path: Path) -> None:
    message = refusal(tmp_path, torch.nn.Linear(2, 2))
    assert message == "its architecture is not known (ResNet and VGG are); its keys: weight, bias"


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file(keep: float, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "whole.pt")
    whole = (tmp_path / "whole.pt").read_bytes()
    assert "truncated" in refusal(tmp_path, whole[: int(len(whole) * keep)])


def test_a_file_of_something_else(tmp_path: Path) -> None:
    assert "in none of the supported forms" in refusal(tmp_path, b"conv1.weight,1,2,3\n" * 100)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no such file"):
        read(tmp_path / "none.pt")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none(value: float, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    state["layer2.0.conv1.weight"][3, 1, 0, 2] = value
    assert refusal(tmp_path, state) == "layer2.0.conv1.weight holds NaN or infinite values"


def test_a_double_beyond_float32(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    state["linear.bias"] = state["linear.bias"].double() + 1e300
    assert refusal(tmp_path, state) == "linear.bias holds NaN or infinite values"


def _decompose(state: dict, name: str, basis: torch.Tensor, coefs: torch.Tensor) -> dict:
    rest = {key: value for key, value in state.items() if key != f"{name}.weight"}
    return {**rest, f"{name}.basis": basis, f"{name}.coefs": coefs}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: {**s, "layer1.0.conv1.weight": torch.zeros(4, 5, 3, 3)},
            "layer1.0.conv1.weight has shape 4x5x3x3, but ?x4x3x3 is needed",
        ),
        (
            lambda s: {**s, "layer1.0.conv1.weight": torch.zeros(4, 4, 3, 5)},
            "layer1.0.conv1.weight has shape 4x4x3x5, but ?x4x3x3 is needed",
        ),
        (lambda s: {**s, "bn1.running_var": torch.ones(5)}, "bn1.running_var has shape 5, but 4 is needed"),
        (lambda s: {**s, "bn1.running_var": -torch.ones(4)}, "bn1.running_var has a negative value"),
        (lambda s: {**s, "linear.weight": torch.zeros(10, 17)}, "linear.weight has shape 10x17, but ?x16 is needed"),
        (lambda s: {k: v for k, v in s.items() if k != "bn1.bias"}, "bn1.bias is missing"),
        (
            lambda s: _decompose(s, "conv1", torch.zeros(5, 8), torch.zeros(12, 5)),
            "conv1.basis has shape 5x8; (d, k*k) with d at most k*k is needed",
        ),
        (
            lambda s: _decompose(s, "conv1", torch.zeros(10, 9), torch.zeros(12, 10)),
            "conv1.basis has shape 10x9; (d, k*k) with d at most k*k is needed",
        ),
        (
            lambda s: _decompose(s, "conv1", torch.zeros(5, 9), torch.zeros(12, 4)),
            "conv1.coefs has shape 12x4, but ?x5 is needed",
        ),
        (
            lambda s: _decompose(s, "conv1", torch.zeros(5, 9), torch.zeros(13, 5)),
            "conv1.coefs has 13 rows, which is not a multiple of its 3 input channels",
        ),
        (
            lambda s: {**s, **{f"attention{i}.weight": torch.zeros(2) for i in range(7)}},
            "nothing in the network uses attention0.weight, attention1.weight, attention2.weight, attention3.weight"
            " and 3 more",
        ),
        (
            lambda s: {**s, "layer1.0.conv3.weight": torch.zeros(4, 4, 1, 1)},
            "layer1.0.conv3.weight: bottleneck blocks are not supported, only blocks of two convolutions",
        ),
        (
            lambda s: {k.replace("layer2", "layer4"): v for k, v in s.items()},
            "layer2 is missing, but layer3 is there",
        ),
        (
            lambda s: {k: v for k, v in s.items() if not k.startswith("linear")},
            "no classifier: one of linear.weight, fc.weight is needed",
        ),
        (
            lambda s: {**s, "conv1.weight": torch.zeros(4, 3, 3, 3, dtype=torch.int8)},
            "conv1.weight holds int8 numbers, not weights",
        ),
        (lambda s: {**s, "optimizer": 3}, "these entries are not tensors: optimizer"),
        (lambda s: [1, 2], "it holds a list, not a state dict"),
        (lambda s: {}, "it holds no tensors"),
        (
            lambda s: {f"blocks.{i}.mlp.weight": torch.zeros(2, 2) for i in range(6)},
            "its architecture is not known (ResNet and VGG are); its keys: blocks.0.mlp.weight, blocks.1.mlp.weight,"
            " blocks.2.mlp.weight, blocks.3.mlp.weight and 2 more",
        ),
    ],
)  # fmt: skip
def test_the_keys_in_the_way_are_named(change, message: str, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    assert refusal(tmp_path, change(state)) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: {k: v for k, v in s.items() if not k.startswith("features.1.")},
            "features.1.running_mean is missing: VGG is read with BatchNorm only",
        ),
        (
            lambda s: {k.replace("s.4.", "s.9.").replace("s.5.", "s.10."): v for k, v in s.items()},
            "features.0 and features.9: the layers between them are not BatchNorm, ReLU and pooling",
        ),
        (
            lambda s: {**s, "classifier.weight": torch.zeros(10, 100)},
            "the classifier takes 100 values: no 32x32 or 224x224 input gives as many through 1 pooling layers"
            " and 8 channels",
        ),
        (
            lambda s: {("classifier.x" if k == "classifier.weight" else k): v for k, v in s.items()},
            "no classifier: classifier.weight or classifier.<n>.weight is needed",
        ),
    ],
)  # fmt: skip
def test_vgg_keys_in_the_way_are_named(change, message: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = dict(randomised(Vgg([4, "M", 8, "M"], 32, 0)).state_dict())
    assert refusal(tmp_path, change(state)) == message
