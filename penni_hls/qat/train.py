"""Quantization-aware fine-tuning: the integer network itself is trained, with the product's own rounding."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..accuracy import predict_integer, top1
from ..errors import UsageError
from ..export import to_torch
from ..ir.fixed import QType
from ..ir.graph import Graph
from ..ir.layers import Input, Layer
from ..ir.quantized import Quantized
from ..quantize import quantize
from ..training.train import Hooks, Loader, Metrics, Progress, TrainConfig, fit
from .network import IntegerNetwork

WIDE_BITS = 8  # coefficients of the network that shows which way narrower ones were rounded
MEMORY = 0.99  # of a gradient's mean square, from step to step


@dataclass(frozen=True)
class QatConfig:
    """What `qat` does.

    coef_bits: 2 (ternary) to 8. basis_bits: 2 to 8. bases: basis kernels are trained as well. distill: knowledge
    distillation from the float network. train: rates, seed and the like; its epochs and bf16 are not used. Gradients
    are brought to unit size (see `Steady`), so `lr` is a share of each weight's range (for coefficients of a third of
    it); it is divided by the root of the largest coefficient (127, 7, 1), for the finer the steps are the less far
    weights have to go. So one `lr` serves all widths.
    """

    coef_bits: int = 8
    basis_bits: int = 8
    epochs: int = 4
    bases: bool = True
    distill: bool = True
    train: TrainConfig = TrainConfig(epochs=0, lr=1.5e-3, weight_decay=0.0)


def qat(
    graph: Graph[Layer],
    train_loader: Loader,
    test_loader: Iterable[tuple[Tensor, Tensor]] | None = None,
    config: QatConfig = QatConfig(),  # noqa: B008 (frozen)
    *,
    calibration: np.ndarray | None = None,
    directory: Path | str | None = None,
    report: Callable[[Metrics], None] | None = None,
    progress: Progress | None = None,
) -> Quantized:
    """The integer network of a float one, as `quantize` makes it and then trained.

    Loaders give (x, y) batches, x (N, C, H, W) either uint8 pixels or normalised with the mean and deviation of the
    graph's input. calibration: as for `quantize`. With a `directory` an interrupted run resumes after its last epoch.
    """
    x, _ = next(iter(train_loader))
    network = prepare(graph, config, calibration).to(x.device)
    _check_pixels(graph, x)
    teacher = Teacher(graph).to(x.device) if config.distill else None
    top = QType(config.coef_bits, signed=True).hi
    steady = Steady(network)
    fit(
        network,
        train_loader,
        test_loader,
        replace(config.train, epochs=config.epochs, lr=config.train.lr * top**-0.5, bf16=False),
        stage="qat",
        hooks=Hooks(gradient=steady.gradient, step=network.clamp),
        teacher=teacher,
        directory=Path(directory) if directory is not None else None,
        identity=f"integer network {_digest(network)}, distill {config.distill}",
        report=report,
        progress=progress,
    )
    return network.quantized()


def prepare(graph: Graph[Layer], config: QatConfig, calibration: np.ndarray | None = None) -> IntegerNetwork:
    """The network that `qat` trains, as it is before: it computes what `quantize` gives."""
    make = partial(quantize, graph, basis_bits=config.basis_bits, calibration=calibration)
    source = graph.input.op
    if not isinstance(source, Input):
        raise UsageError("the network does not begin with an input layer")
    return IntegerNetwork(
        make(coef_bits=config.coef_bits),
        source.mean,
        source.std,
        basis_bits=config.basis_bits,
        bases=config.bases,
        like=make(coef_bits=WIDE_BITS) if config.coef_bits < WIDE_BITS else None,
    )


def integer_accuracy(quantized: Quantized, images: np.ndarray, labels: np.ndarray) -> float:
    """Top-1 in percent of the integer reference: images uint8 (N, H, W, C), labels (N,)."""
    return top1(partial(predict_integer, quantized.graph), images, labels)


class Teacher(nn.Module):
    """The float network: (N, C, H, W), uint8 pixels or normalised as loaders do it -> (N, classes)."""

    def __init__(self, graph: Graph[Layer]) -> None:
        super().__init__()
        self.network = to_torch(graph).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        source = graph.input.op
        assert isinstance(source, Input)
        for name in ("mean", "std"):
            self.register_buffer(name, 255 * torch.tensor(getattr(source, name)).view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.network((x.float() - self.mean) / self.std if x.dtype == torch.uint8 else x.float())


class Steady:
    """Divides each gradient by the root of its running mean square, so that a step's size is the learning rate's.

    Latent weights then move at a rate of their range whatever the layer, the width and the loss. The means are
    buffers of the model, and so part of its checkpoint.
    """

    def __init__(self, model: nn.Module) -> None:
        device = next(model.parameters()).device
        self.steps = torch.zeros((), dtype=torch.float64, device=device)
        model.register_buffer("steps", self.steps)
        self.pairs: list[tuple[nn.Parameter, Tensor]] = []
        for index, parameter in enumerate(model.parameters()):
            self.pairs.append((parameter, torch.zeros_like(parameter, requires_grad=False)))
            model.register_buffer(f"square{index}", self.pairs[-1][1])

    @torch.no_grad()
    def gradient(self) -> None:
        self.steps += 1
        seen = 1 - MEMORY ** float(self.steps)
        for parameter, square in self.pairs:
            if parameter.grad is not None:
                square.mul_(MEMORY).addcmul_(parameter.grad, parameter.grad, value=1 - MEMORY)
                parameter.grad.div_((square / seen).sqrt_().add_(torch.finfo(square.dtype).tiny))


def _check_pixels(graph: Graph[Layer], x: Tensor) -> None:
    """UsageError unless undoing the graph's normalisation gives something like pixels."""
    source = graph.input.op
    assert isinstance(source, Input)
    h, w, c = source.spec.shape
    if x.dim() != 4 or tuple(x.shape[1:]) != (c, h, w):
        raise UsageError(f"the loader gives batches {tuple(x.shape)}; the network takes (N, {c}, {h}, {w})")
    if x.dtype == torch.uint8:
        return
    mean, std = (
        torch.tensor(v, dtype=torch.float32, device=x.device).view(-1, 1, 1) for v in (source.mean, source.std)
    )
    pixels = (x.float() * std + mean) * 255
    low, high = float(pixels.min()), float(pixels.max())
    if low < -1 or high > 256:
        raise UsageError(
            f"the loader's images go from {low:.0f} to {high:.0f} when the network's normalisation is undone; "
            f"normalise pixels of 0 to 255 by mean {source.mean} and std {source.std}, or give them as uint8"
        )


def _digest(model: nn.Module) -> str:
    """Sixteen hexadecimal digits that stand for the model's parameters and constants, in their order."""
    digest = hashlib.sha256()
    for name, value in (*model.named_parameters(), *model.named_buffers()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
