"""Step C: which weights go, and masks that hold them at zero while the rest is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UsageError
from .decompose import PenniConv2d
from .train import Hooks

Masks = dict[str, Tensor]  # name of the parameter -> bool, True where it stays


def sparse_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """What PENNI makes sparse: the coefficients of decomposed layers and the weights of 1x1 convolutions, by name."""
    found = {}
    for name, module in model.named_modules():
        prefix = f"{name}." if name else ""
        if isinstance(module, PenniConv2d):
            found[f"{prefix}coefs"] = module.coefs
        elif isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.groups == 1:
            found[f"{prefix}weight"] = module.weight
    return found


def by_deviation(model: nn.Module, s: float) -> Masks:
    """Keep |a| >= s * std(a), std over the layer's own weights (zeros among them)."""
    if s < 0:
        raise UsageError(f"prune threshold {s}: it must be 0 or more")
    return {
        name: (p.detach().abs() >= s * p.detach().std(correction=0)) & (p.detach() != 0)
        for name, p in sparse_parameters(model).items()
    }


def by_score(
    scores: Mapping[str, Tensor], target: float, cost: Mapping[str, float] | None = None, floor: float = 0.0
) -> Masks:
    """Keep the weights with the highest score per unit of cost while the cost of all that are kept is at most `target`.

    `cost`: what one weight of a layer costs (1 for parameters, its output pixels for MACs). `floor`: the share of each layer
    that stays whatever its scores, so that none dies whole. Weights with score 0 always go.
    """
    if target < 0:
        raise UsageError(f"prune target {target}: it must be 0 or more")
    names = list(scores)
    price = torch.cat(
        [torch.full((scores[n].numel(),), float(cost[n] if cost else 1), dtype=torch.double) for n in names]
    )
    value = torch.cat([scores[n].detach().double().flatten().cpu() for n in names])
    rank = value / price
    start = 0
    for n in names:  # the floor: the best of each layer come before everything else
        size = scores[n].numel()
        best = value[start : start + size].topk(min(size, round(floor * size))).indices + start
        rank[best[value[best] > 0]] = torch.inf
        start += size
    order = torch.sort(rank, descending=True, stable=True).indices
    keep = torch.zeros(len(rank), dtype=torch.bool)
    keep[order] = (price[order].cumsum(0) <= target) & (value[order] > 0)
    parts = keep.split([scores[n].numel() for n in names])
    return {n: part.view_as(scores[n]).to(scores[n].device) for n, part in zip(names, parts, strict=True)}


def magnitude_scores(model: nn.Module) -> dict[str, Tensor]:
    """(a / std(a))^2 per layer: comparable between layers without data."""
    return {
        n: (p.detach() / p.detach().std(correction=0).clamp_min(1e-30)) ** 2
        for n, p in sparse_parameters(model).items()
    }


def fisher_scores(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """a^2 * mean(g^2), g the loss gradient of each batch: to second order, what the loss rises by when a is set to 0."""
    parameters = sparse_parameters(model)
    squares = {name: torch.zeros_like(p) for name, p in parameters.items()}
    training = model.training
    model.eval()
    count = 0
    for x, y in batches:
        loss = F.cross_entropy(model(x).float(), y)
        gradients = torch.autograd.grad(loss, list(parameters.values()))
        for square, gradient in zip(squares.values(), gradients, strict=True):
            square += gradient**2
        count += 1
    model.train(training)
    if not count:
        raise UsageError("no batch to score the weights on; give a loader that is not empty")
    return {name: p.detach() ** 2 * squares[name] / count for name, p in parameters.items()}


@torch.no_grad()
def apply_masks(model: nn.Module, masks: Masks) -> None:
    """Set to zero, in place, what the masks do not keep."""
    parameters = dict(model.named_parameters())
    for name, mask in masks.items():
        parameters[name].mul_(mask)


def masked(model: nn.Module, masks: Masks) -> Hooks:
    """Hooks that hold the zeros.

    The gradient is masked too, so that momentum never gathers anything for a pruned weight; after the step the weight is
    masked again, which makes it exact whatever the optimizer did.
    """
    parameters = dict(model.named_parameters())
    pairs = [(parameters[name], mask) for name, mask in masks.items()]

    def gradient() -> None:
        for parameter, mask in pairs:
            if parameter.grad is not None:
                parameter.grad.mul_(mask)

    @torch.no_grad()
    def step() -> None:
        for parameter, mask in pairs:
            parameter.mul_(mask)

    return Hooks(gradient=gradient, step=step)


def sparsity(masks: Masks) -> float:
    """The share of weights that go."""
    total = sum(mask.numel() for mask in masks.values())
    return 1 - sum(int(mask.sum()) for mask in masks.values()) / total
