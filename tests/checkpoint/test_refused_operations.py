"""What `generate` refuses of a traced network: one line with the file, the layer, its operation as its author called it,
and a way out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import penni_hls
from penni_hls.errors import PenniError

SHAPE = (3, 8, 8)
RELU = "replace it by ReLU and fine-tune"
NORM = "replace it by BatchNorm2d and train again"


class Net(nn.Module):
    """A convolution, then `part`, then a linear layer over the means; then `end`."""

    def __init__(self, part: Callable[[Tensor], Tensor], end: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.part, self.end = part, end
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(self.part(self.conv(x)).mean((2, 3)))
        return x if self.end is None else self.end(x)


class Own(nn.Module):
    """A function as a module of the author's own."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def on_pixels(function: Callable[[Tensor], Tensor]) -> nn.Module:
    """The function before the first convolution."""
    return nn.Sequential(
        Own(function), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )


def biased(model: nn.Module, bias: float) -> nn.Module:
    model.conv.bias.data[:] = bias
    return model


UPSAMPLING = "replace it by nearest-neighbour upsampling and a convolution, and train again"
SPLITTING = "splitting a map is not supported; give each branch a convolution of its own"
PRODUCT = "a product of maps, as in squeeze-and-excitation, is not supported; leave it out and fine-tune"
# The network, and what is said: the layer as torch.export, then as ONNX names it.
REFUSED: dict[str, tuple[Callable[[], nn.Module], str, str]] = {
    "SiLU": (lambda: Net(nn.SiLU()), rf"part \(nn.SiLU\): SiLU is not supported; {RELU}",
             rf"part \(SiLU\): SiLU is not supported; {RELU}"),
    "a function": (lambda: Net(F.silu), rf"^silu: SiLU is not supported; {RELU}",
                   rf"/Sigmoid \(SiLU\): SiLU is not supported; {RELU}"),
    "a swish": (lambda: Net(Own(lambda x: x * torch.sigmoid(x))), rf"\(SiLU\): SiLU is not supported; {RELU}",
                rf"part \(SiLU\): SiLU is not supported; {RELU}"),
    "GELU": (lambda: Net(nn.GELU()), rf"part \(nn.GELU\): GELU is not supported; {RELU}", rf"Gelu\): GELU is not .*{RELU}"),
    "Hardswish": (lambda: Net(nn.Hardswish()), r"part \(nn.Hardswish\): Hardswish is not supported; replace it by ReLU6",
                  r"/part/HardSwish \(HardSwish\): Hardswish is not supported; replace it by ReLU6"),
    "LeakyReLU": (lambda: Net(nn.LeakyReLU()), rf"part \(nn.LeakyReLU\): LeakyReLU is not supported; {RELU}",
                  rf"LeakyRelu\): LeakyReLU is not supported; {RELU}"),
    "Tanh": (lambda: Net(nn.Tanh()), rf"part \(nn.Tanh\): Tanh is not supported; {RELU}", rf"Tanh is not supported; {RELU}"),
    "sigmoid within": (lambda: Net(nn.Sigmoid()), rf"part \(nn.Sigmoid\): Sigmoid is not supported; {RELU}",
                       rf"Sigmoid\): Sigmoid is not supported; {RELU}"),
    "gates": (lambda: Net(Own(lambda x: x * torch.sigmoid(x.mean((2, 3), keepdim=True)))), PRODUCT, PRODUCT),
    "softmax within": (lambda: Net(nn.ReLU(), nn.Sequential(nn.Softmax(1), nn.Linear(3, 3))),
                       r"end.0 \(nn.Softmax\): softmax is not supported; only at the end of the network can it be left out",
                       r"Softmax\): softmax is not supported; only at the end"),
    "softmax over images": (lambda: Net(nn.ReLU(), lambda x: F.softmax(x, 0)),
                            "only one over the classes, axis 1, can be left out; leave it out of the file",
                            "only one over the classes, axis 1, can be left out; leave it out of the file"),
    "GroupNorm": (lambda: Net(nn.GroupNorm(2, 4)), rf"part \(nn.GroupNorm\): GroupNorm is not supported; {NORM}",
                  rf"InstanceNorm2d is not supported; {NORM}"),
    "transposed": (lambda: Net(nn.ConvTranspose2d(4, 4, 2, 2)),
                   rf"part \(nn.ConvTranspose2d\): a transposed convolution is not supported; {UPSAMPLING}",
                   rf"ConvTranspose\): a transposed convolution is not supported; {UPSAMPLING}"),
    "bilinear": (lambda: Net(nn.Upsample(scale_factor=2, mode="bilinear")),
                 r"part \(nn.Upsample\): interpolation other than nearest-neighbour is not supported; use mode='nearest'",
                 r"Resize\): interpolation other than nearest-neighbour is not supported; use mode='nearest'"),
    "chunk": (lambda: Net(Own(lambda x: torch.cat(x.chunk(2, 1)[::-1], 1))), SPLITTING, r"the slice 0:2:1 of axis 1"),
    "mean without zeros": (lambda: Net(nn.AvgPool2d(3, 1, 1, count_include_pad=False)),
                           r"part \(nn.AvgPool2d\): its mean leaves padding out .*; set count_include_pad=True",
                           r"AveragePool\): its mean leaves padding out .*; set count_include_pad=True"),
    "rounded mean": (lambda: Net(nn.AvgPool2d(3, 2, ceil_mode=True)),
                     r"part \(nn.AvgPool2d\): ceil_mode makes a difference .*; pad the map instead",
                     r"AveragePool\): ceil_mode makes a difference .*; pad the map instead"),
    "sizes of a pool": (lambda: Net(nn.AdaptiveAvgPool2d(3)), r"part \(nn.AdaptiveAvgPool2d\): .*; use a size that divides 8",
                        ""),
    "padding of a sum": (lambda: Net(nn.Sequential(nn.ZeroPad2d(1), nn.BatchNorm2d(4))),
                         r"part.0 \(nn.ZeroPad2d\): padding of a map .*; give it to that layer instead",
                         r"Pad\): padding of a map .*; give it to that layer instead"),
    "dilated pool": (lambda: Net(nn.MaxPool2d(3, 1, 1, dilation=2)), r"part \(nn.MaxPool2d\): pooling with dilation .*; ",
                     r"MaxPool\): pooling with dilation .*; "),
    "far apart": (lambda: biased(Net(nn.ReLU()), -1e30), r"^conv: its results .* too many orders of magnitude .*; check",
                  r"^conv: its results .* too many orders of magnitude .*; check"),
}  # fmt: skip


# What torch.onnx cannot write itself is read from torch.export only.
FILES = [(what, form) for what, (_, *said) in REFUSED.items() for form, text in zip(("pt2", "onnx"), said) if text]


@pytest.mark.parametrize(("what", "form"), FILES)
def test_file_layer_operation_and_a_way_out_are_named(what: str, form: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    make, *said = REFUSED[what]
    wanted = said[form == "onnx"]
    model, path = make().eval(), tmp_path / f"net.{form}"
    example = (torch.zeros(2, *SHAPE),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if form == "pt2":
            torch.export.save(torch.export.export(model, example), path)
        else:
            torch.onnx.export(model, example, path, dynamo=False)
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), dtype=np.uint8)
    with pytest.raises(PenniError) as error:
        penni_hls.generate(path, tmp_path / "out", calibration=images)
    text = str(error.value)
    assert text.startswith(f"{path}: ") and "\n" not in text
    assert re.search(wanted, text.removeprefix(f"{path}: ")), text
    assert not (tmp_path / "out").exists()
