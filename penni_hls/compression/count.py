"""The parameters and MACs of a torch model, by the definitions of `ir.layers.count`."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from ..ir.layers import Count, LayerCount
from .decompose import PenniConv2d


@torch.no_grad()
def count(model: nn.Module, shape: tuple[int, int, int] = (3, 32, 32)) -> Count:
    """Run `model` once on zeros of `shape` (C, H, W) to see the map sizes, and count."""
    pixels: dict[str, int] = {}
    layers = {n: m for n, m in model.named_modules() if isinstance(m, nn.Conv2d | PenniConv2d | nn.Linear)}

    def seen(name: str):  # noqa: ANN202
        def hook(_module: nn.Module, _inputs: tuple, output: torch.Tensor) -> None:
            spatial = output.shape[2:]
            pixels[name] = pixels.get(name, 0) + (spatial.numel() if len(spatial) else 1)

        return hook

    handles = [module.register_forward_hook(seen(name)) for name, module in layers.items()]
    training = model.training
    try:
        first = next(model.parameters())
        model.eval()
        model(torch.zeros(1, *shape, dtype=first.dtype, device=first.device))
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    counted = tuple(_layer(name, layers[name], n) for name, n in pixels.items())
    weights = {id(p) for module in layers.values() for p in _weights(module)}
    other = sum(p.numel() for p in model.parameters() if id(p) not in weights)
    return Count(counted, other)


def _weights(module: nn.Module) -> Iterable[nn.Parameter]:
    if isinstance(module, PenniConv2d):
        return module.coefs, module.basis
    return (module.weight,)  # type: ignore[return-value]


def _layer(name: str, module: nn.Module, pixels: int) -> LayerCount:
    if isinstance(module, PenniConv2d):
        inputs, outputs = module.in_channels, module.out_channels
        kernel = (module.kernel_size, module.kernel_size)
        read = (module.coefs.view(outputs, inputs, module.d) != 0).any(0)
        return LayerCount(
            name=name,
            inputs=inputs,
            outputs=outputs,
            kernel=kernel,
            pixels=pixels,
            dense=outputs * inputs * module.kernel_size**2,
            nonzero=int((module.coefs != 0).sum()),
            bases=module.d,
            read_maps=int(read.sum()),
        )
    weight = module.weight
    assert isinstance(weight, torch.Tensor)
    return LayerCount(
        name=name,
        inputs=weight.shape[1] * getattr(module, "groups", 1),
        outputs=weight.shape[0],
        kernel=(weight.shape[2], weight.shape[3]) if weight.dim() == 4 else (1, 1),
        pixels=pixels,
        dense=weight.numel(),
        nonzero=int((weight != 0).sum()),
    )
