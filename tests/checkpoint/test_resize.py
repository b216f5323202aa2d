"""Resizing as ONNX and torch write it: what repeats each pixel is read, as onnxruntime computes it; all else is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from torch import nn
from torch.nn import functional as F

from penni_hls.checkpoint import CheckpointError, read
from penni_hls.checkpoint.module import from_module
from penni_hls.ir.layers import Upsample

from .test_onnx import ints, model_of, run, written
from .test_pt2 import saved
from .traced_nets import assert_computes, numbers

FLOOR = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def scales(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def resized(
    weights: dict[str, np.ndarray],
    inputs: list[str],
    opset: int = 18,
    kind: str = "Resize",
    factor: int = 2,
    **settings,
) -> onnx.ModelProto:
    """A resized image and a linear layer, to which it matters where each pixel goes."""
    nodes = [
        helper.make_node(kind, inputs, ["1"], "up", **settings),
        helper.make_node("Flatten", ["1"], ["2"]),
        helper.make_node("Gemm", ["2", "w", "b"], ["out"], transB=1),
    ]
    matrix = np.random.default_rng(3).standard_normal((5, 3 * 8 * 8 * factor**2)).astype(np.float32)
    constants = {**weights, "w": matrix, "b": np.zeros(5, np.float32)}
    return model_of(nodes, constants, [2, 3, 8, 8] if "n" in weights else None, opset)


PLAIN = {
    "floor": (resized({"s": scales(1, 1, 2, 2)}, ["x", "", "s"], **FLOOR), 2),
    "by default": (resized({"s": scales(1, 1, 2, 2)}, ["x", "", "s"]), 2),
    "threefold": (resized({"s": scales(1, 1, 3, 3)}, ["x", "", "s"], factor=3, nearest_mode="round_prefer_ceil"), 3),
    "torch": (resized({"s": scales(1, 1, 2, 2)}, ["x", "", "s"], coordinate_transformation_mode="pytorch_half_pixel"), 2),
    "sizes": (resized({"n": ints(2, 3, 16, 16)}, ["x", "", "", "n"], **FLOOR), 2),
    "sizes of two axes": (resized({"n": ints(16, 16)}, ["x", "", "", "n"], axes=[2, 3], **FLOOR), 2),
    "opset 10": (resized({"s": scales(1, 1, 2, 2)}, ["x", "s"], 10), 2),
    "opset 9": (resized({"s": scales(1, 1, 2, 2)}, ["x", "s"], 9, "Upsample"), 2),
    "opset 8": (resized({}, ["x"], 8, "Upsample", scales=[1.0, 1.0, 2.0, 2.0]), 2),
}  # fmt: skip


@pytest.mark.parametrize("how", PLAIN)
def test_what_repeats_pixels_is_read(how: str, tmp_path: Path) -> None:
    model, factor = PLAIN[how]
    graph, logits, wanted = run(model, tmp_path / "net.onnx")
    np.testing.assert_allclose(logits, wanted, rtol=1e-5, atol=1e-4)
    assert [node.op.factor for node in graph if isinstance(node.op, Upsample)] == [factor]


@pytest.mark.parametrize(
    ("attributes", "given", "message"),
    [
        ({"coordinate_transformation_mode": "half_pixel", "nearest_mode": "floor"}, (1, 1, 2, 2),
         r"up \(Resize\): coordinates 'half_pixel' with 'floor' do not repeat each pixel 2 times here"),
        ({"coordinate_transformation_mode": "align_corners"}, (1, 1, 4, 4), "do not repeat each pixel 4 times"),
        ({"coordinate_transformation_mode": "tf_crop_and_resize"}, (1, 1, 2, 2), "do not repeat each pixel"),
        ({"mode": "linear"}, (1, 1, 2, 2), "interpolation other than nearest-neighbour is not supported; use mode='nearest'"),
        (FLOOR, (1, 1, 1.5, 1.5), r"it resizes a 8x8x3 map by 1x1x1.5x1.5 \(N, C, H, W\); only one whole factor"),
        (FLOOR, (1, 1, 2, 4), r"by 1x1x2x4 \(N, C, H, W\); only one whole factor for rows and columns"),
        (FLOOR, (1, 2, 2, 2), r"by 1x2x2x2"),
        (FLOOR, (1, 1, 0, 0), r"by 1x1x0x0"),
        (FLOOR, (1, 1, np.nan, 2), r"by 1x1xnanx2"),
        (FLOOR, (1, 1, 1e9, 1e9), r"by 1x1x1e\+09x1e\+09"),
        (FLOOR, (1, 1, 1, 2, 2), r"axes \[-1, 0, 1, 2, 3\] of 4"),
    ],
)  # fmt: skip
def test_other_ways_to_resize_are_refused(
    attributes: dict[str, Any], given: tuple[float, ...], message: str, tmp_path: Path
) -> None:
    model = resized({"s": scales(*given)}, ["x", "", "s"], **attributes)
    with pytest.raises(CheckpointError, match=message):
        read(written(model, tmp_path / "net.onnx"))


def test_a_factor_of_one_is_nothing(tmp_path: Path) -> None:
    nodes = [helper.make_node("Resize", ["x", "", "s"], ["1"], "up", **FLOOR), helper.make_node("Relu", ["1"], ["out"])]
    graph = read(written(model_of(nodes, {"s": scales(1, 1, 1, 1)}), tmp_path / "net.onnx"))
    assert [node.name for node in graph] == ["input", "out"]


class Resizes(nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4 * 6 * 6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(F.interpolate(F.max_pool2d(self.conv(x), 2), **self.options).flatten(1))


@pytest.mark.parametrize(
    ("options", "core"),
    [
        ({"scale_factor": 2}, False),
        ({"scale_factor": 2}, True),
        ({"size": (6, 6)}, False),
        ({"scale_factor": 2, "mode": "nearest-exact"}, False),
    ],
)
def test_torch_export(options: dict[str, Any], core: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, shape = Resizes(**options).eval(), (3, 8, 8)
    mean, std = numbers(shape)
    assert_computes(read(saved(model, shape, tmp_path / "net.pt2", core=core), mean=mean, std=std), model, shape)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_torch_s_other_modes_are_refused(mode: str) -> None:
    with pytest.raises(
        CheckpointError, match=rf"upsample_{mode}2d.*: interpolation other than nearest-neighbour is not supported"
    ):
        from_module(Resizes(scale_factor=2, mode=mode).eval(), (3, 8, 8))
