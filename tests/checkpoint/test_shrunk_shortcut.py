"""A shrunk network with parameter-free shortcuts keeps the split of its zero channels in its state dict."""

import numpy as np
import pytest
import safetensors.torch
import torch

from penni_hls.accuracy import predict_float
from penni_hls.checkpoint import read
from penni_hls.compression.decompose import load_penni
from penni_hls.compression.shrink import shrink
from penni_hls.errors import CheckpointError
from penni_hls.export import export
from penni_hls.ir.layers import PadShortcut
from penni_hls.zoo.models import ResNet

from ..compression.test_shrink import sparse
from .models import randomised

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
BLOCKS, PLANES = (1, 1), (8, 16)


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(3)
    model = sparse(ResNet(BLOCKS, PLANES, "A"), seed=3, rows=0.6, columns=0.6)
    return shrink(model, torch.zeros(1, 3, 32, 32)).double()


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)


def normalised(image):
    x = (torch.from_numpy(image).double() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    return x.permute(0, 3, 1, 2)


def test_reads_back(small, image, tmp_path):
    pad = small.layer2[0].shortcut
    assert pad.before != pad.after  # else the default split would do, and this test could not fail
    torch.save(small.state_dict(), tmp_path / "small.pt")
    graph = read(tmp_path / "small.pt", mean=MEAN, std=STD)
    (op,) = (node.op for node in graph if isinstance(node.op, PadShortcut))
    assert op.offset == pad.before
    with torch.no_grad():
        wanted = small(normalised(image)).numpy()
    np.testing.assert_allclose(predict_float(graph, image), wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


def test_loads_back(small, image):
    again = load_penni(ResNet(BLOCKS, PLANES, "A").double(), small.state_dict()).eval()
    with torch.no_grad():
        assert torch.equal(again(normalised(image)), small(normalised(image)))


@pytest.mark.parametrize("widths", [(4, 6, 8), (4, 7, 9), (4, 5, 6), (3, 8, 9), (4, 4, 11), (8, 16, 32)])
@pytest.mark.parametrize("form", ["pt", "safetensors", "penni", "exported pt"])
def test_widths_that_do_not_double(widths, form, image, tmp_path):
    """The state dict does not say where the zero channels are: its writers and its reader agree on that."""
    torch.manual_seed(5)
    model = randomised(ResNet((1, 1, 1), widths, "A")).double()
    with torch.no_grad():
        wanted = model(normalised(image)).numpy()
    path = tmp_path / f"net.{form.split()[-1]}"
    if form == "safetensors":
        safetensors.torch.save_file(model.state_dict(), path)
    else:
        torch.save(model.state_dict(), tmp_path / "own.pt")
        read_again = read(tmp_path / "own.pt", mean=MEAN, std=STD)
        if form == "pt":
            path = tmp_path / "own.pt"
        else:
            export(read_again, path)
    graph = read(path, mean=MEAN, std=STD)
    np.testing.assert_allclose(predict_float(graph, image), wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


def test_fewer_channels_have_no_option_a_shortcut():
    with pytest.raises(ValueError, match="6 channels after 8 need a shortcut convolution: option B"):
        ResNet((1, 1), (8, 6), "A")


@pytest.mark.parametrize("zeros", [[0, 99], [-1, 5], [0.5, 0.5]])
def test_a_wrong_split_is_refused(small, zeros, tmp_path):
    state = small.state_dict() | {"layer2.0.shortcut.zeros": torch.tensor(zeros)}
    torch.save(state, tmp_path / "small.pt")
    with pytest.raises(CheckpointError, match="layer2.0.shortcut.zeros"):
        read(tmp_path / "small.pt")
