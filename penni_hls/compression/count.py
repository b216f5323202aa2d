"""Parameters and multiply-accumulates of a network, dense and compressed.

The paper's convention counts, for a decomposed layer, Ho*Wo*(C_in*d*k^2 + nnz) MACs and no cost for indices. Beside
it stands what an accelerator meets: basis maps that no coefficient reads are not computed, and bases, biases,
BatchNorm and indices count.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, log2

import torch
from torch import nn

from .decompose import PenniConv2d


@dataclass(frozen=True)
class LayerCount:
    """One convolution or linear layer. `pixels` is Ho*Wo, 1 for a linear layer.

    weights: what a dense layer of this shape has. nonzero: coefficients (decomposed) or weights that are not 0.
    basis: numbers in the bases. basis_maps: C_in*d. used_maps: those that some coefficient reads. columns: what an
    index can point at.
    """

    name: str
    kind: str
    pixels: int
    inputs: int
    outputs: int
    kernel: int
    weights: int
    nonzero: int
    stored: int
    basis: int
    basis_maps: int
    used_maps: int
    columns: int

    @property
    def dense_macs(self) -> int:
        return self.pixels * self.weights

    @property
    def sparse_macs(self) -> int:
        """MACs with weights or coefficients that are not 0."""
        return self.pixels * self.nonzero

    @property
    def basis_macs(self) -> int:
        """Ho*Wo*C_in*d*k^2."""
        return self.pixels * self.basis_maps * self.kernel**2

    @property
    def used_basis_macs(self) -> int:
        """As `basis_macs`, for the maps that are read."""
        return self.pixels * self.used_maps * self.kernel**2

    @property
    def index_bits(self) -> int:
        """A column index for each non-zero and one end-of-row bit."""
        return self.nonzero * (max(1, ceil(log2(self.columns))) + 1)


@dataclass(frozen=True)
class Count:
    """A network's layers, and `other`: the parameters beside their weights (biases, BatchNorm's scale and shift)."""

    layers: tuple[LayerCount, ...]
    other: int

    @property
    def paper_parameters(self) -> int:
        """The paper's convention: non-zero weights and coefficients, and bases."""
        return sum(layer.nonzero + layer.basis for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Non-zero weights and coefficients, bases, biases, BatchNorm's scale and shift; no indices."""
        return self.paper_parameters + self.other

    @property
    def dense_parameters(self) -> int:
        """What the same shapes have when dense."""
        return sum(layer.weights for layer in self.layers) + self.other

    @property
    def macs(self) -> int:
        """The paper's convention: basis and sparse MACs, all basis maps computed."""
        return sum(layer.basis_macs + layer.sparse_macs for layer in self.layers)

    @property
    def used_macs(self) -> int:
        """Basis MACs of the maps that are read, and sparse MACs."""
        return sum(layer.used_basis_macs + layer.sparse_macs for layer in self.layers)

    @property
    def sparse_macs(self) -> int:
        return sum(layer.sparse_macs for layer in self.layers)

    @property
    def dense_macs(self) -> int:
        return sum(layer.dense_macs for layer in self.layers)

    def bits(self, coefficient: int = 8, basis: int = 8, other: int = 32) -> int:
        """Storage with everything in it: coefficients, sparse with indices or dense, whichever is smaller; bases; all
        else at `other` bits."""
        return (
            sum(
                min(layer.nonzero * coefficient + layer.index_bits, layer.stored * coefficient) + layer.basis * basis
                for layer in self.layers
            )
            + self.other * other
        )


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


def table(before: Count, after: Count) -> str:
    """The summary a user reads: one line per layer of `after`, then the totals against `before`."""
    lines = [f"{'layer':24} {'shape':>14} {'pixels':>6} {'non-zero':>9} {'of':>8} {'maps used':>11} {'k MACs':>9}"]
    for layer in after.layers:
        maps = f"{layer.used_maps}/{layer.basis_maps}" if layer.basis_maps else "-"
        lines.append(
            f"{layer.name:24} {f'{layer.inputs}->{layer.outputs} {layer.kernel}x{layer.kernel}':>14} {layer.pixels:6} "
            f"{layer.nonzero:9,} {layer.stored:8,} {maps:>11} {(layer.basis_macs + layer.sparse_macs) / 1e3:9,.0f}"
        )
    rows = [
        ("parameters", before.parameters, after.parameters),
        ("MACs (paper's convention)", before.macs, after.macs),
        ("MACs (basis maps read)", before.used_macs, after.used_macs),
        ("bits (8-bit, with indices)", before.bits(), after.bits()),
    ]
    lines += [f"{name:27} {a:12,} -> {b:11,}  ({100 * (b / a - 1):+.1f} %)" for name, a, b in rows]
    return "\n".join(lines)


def _weights(module: nn.Module) -> Iterable[nn.Parameter]:
    if isinstance(module, PenniConv2d):
        return module.coefs, module.basis
    return (module.weight,)  # type: ignore[return-value]


def _layer(name: str, module: nn.Module, pixels: int) -> LayerCount:
    if isinstance(module, PenniConv2d):
        inputs, outputs, kernel = module.in_channels, module.out_channels, module.kernel_size
        used = (module.coefs.view(outputs, inputs, module.d) != 0).any(0).sum()
        return LayerCount(
            name=name,
            kind="penni",
            pixels=pixels,
            inputs=inputs,
            outputs=outputs,
            kernel=kernel,
            weights=outputs * inputs * kernel**2,
            nonzero=int((module.coefs != 0).sum()),
            stored=module.coefs.numel(),
            basis=module.basis.numel(),
            basis_maps=inputs * module.d,
            used_maps=int(used),
            columns=inputs * module.d,
        )
    weight = module.weight
    assert isinstance(weight, torch.Tensor)
    return LayerCount(
        name=name,
        kind="linear" if weight.dim() == 2 else "conv",
        pixels=pixels,
        inputs=weight.shape[1],
        outputs=weight.shape[0],
        kernel=weight.shape[-1] if weight.dim() == 4 else 1,
        weights=weight.numel(),
        nonzero=int((weight != 0).sum()),
        stored=weight.numel(),
        basis=0,
        basis_maps=0,
        used_maps=0,
        columns=weight[0].numel(),
    )
