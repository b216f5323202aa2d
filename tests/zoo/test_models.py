"""The networks: names, sizes, and the accuracy of public checkpoints in them."""

import pytest
import torch

from penni_hls.compression.decompose import load_penni
from penni_hls.data import Images, load_cifar10
from penni_hls.training.batches import Batches
from penni_hls.training.train import evaluate
from penni_hls.zoo.models import ARCHITECTURES, build, dense_state

from ..compression.nets import SHARED


@pytest.mark.parametrize(
    ("arch", "parameters"),  # published figures; resnet8 and vgg16 added up by hand from their layers
    [
        ("resnet20", 269_722),
        ("resnet32", 464_154),
        ("resnet56", 853_018),
        ("resnet18", 11_173_962),
        ("resnet34", 21_282_122),
        ("vgg16", 14_728_266),
        # stem 432, stages 4,608 + 13,824 + 512 + 55,296 + 2,048, linear 650, BatchNorm 2 * (3*16 + 3*32 + 3*64)
        ("resnet8", 432 + 4608 + 13824 + 512 + 55296 + 2048 + 650 + 672),
    ],
)
def test_parameters(arch, parameters):
    assert sum(p.numel() for p in build(arch).parameters()) == parameters


def test_keys_of_resnet8():
    keys = {key.rsplit(".", 1)[0] for key in build("resnet8").state_dict()}
    block = {"conv1", "bn1", "conv2", "bn2"}
    assert keys == {"conv1", "bn1", "linear"} | {f"layer{n}.0.{name}" for n in (1, 2, 3) for name in block} | {
        f"layer{n}.0.shortcut.{i}" for n in (2, 3) for i in (0, 1)
    }


@pytest.mark.parametrize("arch", [name for name in ARCHITECTURES if name not in ("resnet18", "resnet34", "vgg16")])
def test_output(arch):
    with torch.no_grad():
        assert build(arch, 7).eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


def test_unknown_architecture():
    with pytest.raises(ValueError, match="resnet9"):
        build("resnet9")


def test_dense_state_strips_what_wraps_it():
    wrapped = {
        "best_prec1": 91.0,
        "state_dict": {"module.conv1.weight": torch.ones(2).half(), "module.n": torch.tensor(3)},
    }
    state = dense_state(wrapped)
    assert set(state) == {"conv1.weight", "n"} and state["conv1.weight"].dtype == torch.float32 and state["n"] == 3


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_public_checkpoints_score_what_they_should():
    """On the first 1,000 test images: 91.73 % and 88.93 % on all 10,000, two standard deviations allowed."""
    test = load_cifar10(SHARED / "data")
    some = Images(test.images[:1000], test.labels[:1000])
    loader = Batches(some, 250, train=False, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    dense = build("resnet20")
    dense.load_state_dict(
        dense_state(torch.load(SHARED / "models/r20_dense.th", weights_only=True, map_location="cpu"))
    )
    penni = load_penni(build("resnet20"), dense_state(torch.load(SHARED / "models/r20_penni.pt", weights_only=True)))
    assert evaluate(dense, loader) == pytest.approx(91.73, abs=1.75)
    assert evaluate(penni, loader) == pytest.approx(88.93, abs=2.0)
