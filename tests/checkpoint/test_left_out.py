"""What the end of a network may have and the accelerator does not need is left out, and said; what does nothing, too."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn
from torch.nn import functional as F

import penni_hls
from penni_hls.accuracy import predict_float
from penni_hls.checkpoint import load
from penni_hls.cli import run
from penni_hls.errors import CheckpointError
from penni_hls.ir import interpreter

from .traced_nets import normalised, numbers, pixels

SHAPE = (3, 8, 8)


class Net(nn.Module):
    def __init__(self, end: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.Identity(), nn.Dropout2d(0.3), nn.ReLU(), nn.Dropout()
        )
        self.head, self.end = nn.Linear(4, 5), end

    def logits(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).mean((2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.logits(x))


ENDS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": nn.Softmax(dim=1),
    "softmax of the last axis": lambda x: F.softmax(x, -1),
    "log_softmax": nn.LogSoftmax(1),
    "sigmoid": nn.Sigmoid(),
    "softmax, then a view": nn.Sequential(nn.Softmax(1), nn.Dropout(), nn.Flatten()),
    "argmax": lambda x: x.argmax(1),
}


def written(model: nn.Module, path: Path, form: str) -> Path:
    example = (torch.zeros(2, *SHAPE),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if form == "onnx":
            torch.onnx.export(model, example, path, dynamo=False)
        else:
            program = torch.export.export(model, example)
            torch.export.save(program.run_decompositions() if form == "core" else program, path)
    return path


@pytest.mark.parametrize("form", ["pt2", "core", "onnx"])
@pytest.mark.parametrize("end", ENDS)
def test_the_logits_come_out(end: str, form: str, tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = Net(ENDS[end]).eval()
    mean, std = numbers(SHAPE)
    loaded = load(written(model, tmp_path / f"net.{'onnx' if form == 'onnx' else 'pt2'}", form), mean=mean, std=std)
    (note,) = loaded.notes
    assert note.endswith("the last operation, is left out: argmax of the logits is the same")
    assert end.partition(",")[0].partition(" ")[0].replace("_", "") in note.partition(",")[0].replace("_", "").lower()
    images = pixels(SHAPE)
    with torch.no_grad():
        wanted, classes = model.logits(normalised(images)).numpy(), model(normalised(images))
    found = predict_float(loaded.graph, images)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    assert np.array_equal(found.argmax(1), classes.numpy() if classes.ndim == 1 else classes.argmax(1).numpy())


def test_what_does_nothing_is_left_out_without_a_word(tmp_path: Path) -> None:
    torch.manual_seed(3)
    loaded = load(written(Net(nn.Identity()).eval(), tmp_path / "net.pt2", "pt2"))
    assert loaded.notes == ()
    assert [type(node.op).__name__ for node in loaded.graph] == ["Input", "Conv", "Relu", "GlobalAvgPool", "Linear"]


@pytest.mark.parametrize("form", ["pt2", "core", "onnx"])
def test_a_map_that_is_flattened_at_the_end_stays_a_map(form: str, tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.Flatten()).eval()
    mean, std = numbers(SHAPE)
    loaded = load(written(model, tmp_path / f"net.{'onnx' if form == 'onnx' else 'pt2'}", form), mean=mean, std=std)
    said = "the result, of shape [36] in the file, is a 3x3x4 map here: the channels of each pixel stand together"
    assert loaded.notes == (said,)
    images = pixels(SHAPE)
    with torch.no_grad():
        wanted = model(normalised(images)).reshape(-1, 4, 3, 3).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(interpreter.output(loaded.graph, images), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("opset", [11, 12, 13])
def test_the_softmax_of_a_maps_channels(opset: int, tmp_path: Path) -> None:
    """Before opset 13 the exporter swaps the axes of the map, and swaps them back."""
    torch.manual_seed(3)
    conv = nn.Conv2d(3, 4, 3, 2).eval()
    path = tmp_path / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            nn.Sequential(conv, nn.Softmax(1)), (torch.zeros(2, *SHAPE),), path, dynamo=False, opset_version=opset
        )
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert kinds == (["Conv", "Transpose", "Softmax", "Transpose"] if opset < 13 else ["Conv", "Softmax"])
    mean, std = numbers(SHAPE)
    loaded = load(path, mean=mean, std=std)
    assert loaded.notes and "the last operation, is left out" in loaded.notes[0]
    images = pixels(SHAPE)
    with torch.no_grad():
        wanted = conv(normalised(images)).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(interpreter.output(loaded.graph, images), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("perm, axis", [((0, 2, 1, 3), 1), ((0, 3, 1, 2), 3), ((0, 3, 2, 1), 1), ((0, 9, 9, 9), 1)])
def test_other_turns_of_a_map_are_refused(perm, axis, tmp_path: Path) -> None:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3, 8, 8]) for name in "xy")
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=perm),
        helper.make_node("Softmax", ["b"], ["c"], axis=axis),
        helper.make_node("Transpose", ["c"], ["y"], perm=perm),
    ]
    model = helper.make_model(helper.make_graph(nodes, "g", [x], [y]), opset_imports=[helper.make_opsetid("", 13)])
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(CheckpointError, match="axis 1, can be left out|reordering the axes"):
        load(tmp_path / "net.onnx")


def test_inspect_and_generate_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(3)
    path = written(Net(nn.Softmax(dim=1)).eval(), tmp_path / "net.pt2", "pt2")
    said = "end (nn.Softmax), the last operation, is left out: argmax of the logits is the same"
    assert run(["inspect", str(path)]) == 0
    assert f"note: {said}" in capsys.readouterr().err
    assert run(["inspect", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == [said]
    assert run(["generate", str(path), "-o", str(tmp_path / "out")]) == 0
    assert f"note: {said}" in capsys.readouterr().err
    assert penni_hls.load(tmp_path / "out").notes[0] == said
