"""Step C: which weights are pruned, and masks that hold them at zero while the rest is trained.

The sparse matrix of a layer is (C_out, columns): a row for each output channel, a column for each basis map (C_in*d,
basis the faster index) of a decomposed layer or for each input channel of a 1x1 convolution. It is the parameter's
own memory order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UsageError
from ..ir.layers import Count
from ..training import processes
from ..training.train import Hooks
from .decompose import PenniConv2d

Masks = dict[str, Tensor]  # name of the parameter -> bool (C_out, columns), True where a weight stays
BISECTIONS = 60


def sparse_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """What PENNI makes sparse: the coefficients of decomposed layers and the weights of 1x1 convolutions, by name."""
    found: dict[str, nn.Parameter] = {}
    for name, module in model.named_modules():
        prefix = f"{name}." if name else ""
        if isinstance(module, PenniConv2d):
            found[f"{prefix}coefs"] = module.coefs
        elif isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.groups == 1:
            found[f"{prefix}weight"] = module.get_parameter("weight")
    return found


def sparse_matrices(model: nn.Module) -> dict[str, Tensor]:
    """The same as views (C_out, columns), without gradient."""
    modules = dict(model.named_modules())
    matrices = {}
    for name, parameter in sparse_parameters(model).items():
        module = modules[name.rpartition(".")[0]]
        matrices[name] = parameter.detach().view(int(module.out_channels), -1)  # type: ignore[arg-type]
    return matrices


def by_deviation(model: nn.Module, s: float) -> Masks:
    """Keep |a| >= s * std(a), std over all weights of the layer, zeros among them."""
    if s < 0:
        raise UsageError(f"prune threshold {s}: it must be 0 or more")
    return {name: (a.abs() >= s * a.std(correction=0)) & (a != 0) for name, a in sparse_matrices(model).items()}


def held(model: nn.Module) -> Masks:
    """The masks of the zeros that are there now."""
    return {name: a != 0 for name, a in sparse_matrices(model).items()}


@dataclass(frozen=True)
class Price:
    """What a layer's sparse matrix costs, in parameters or in MACs.

    weight: each weight that stays. column: each column that any weight reads, because its basis map is then computed.
    """

    weight: float = 1.0
    column: float = 0.0


def parameter_prices(count: Count) -> dict[str, Price]:
    """By layer name: a weight costs one parameter."""
    return {layer.name: Price() for layer in count.layers}


def mac_prices(count: Count) -> dict[str, Price]:
    """By layer name: a weight costs a MAC for each output pixel, a basis map kh*kw."""
    return {layer.name: Price(layer.pixels, layer.pixels * layer.taps if layer.bases else 0) for layer in count.layers}


def by_score(scores: Mapping[str, Tensor], prices: Mapping[str, Price], target: float) -> Masks:
    """The masks that keep the most score while what they keep costs at most `target`. Prices go by layer name.

    For a rate r (score per cost) the best choice has a closed form: a weight is worth its score - r*weight, a column
    the sum of its weights' worths above 0, less r*column; what is worth more than 0 stays. The rate is found by
    bisection. Weights with score 0 are pruned; the best weight of each layer stays, so that none is cut off, even where
    that alone exceeds the target.
    """
    if target < 0:
        raise UsageError(f"prune target {target}: it must be 0 or more")
    rows = {name: score.double().cpu() for name, score in scores.items()}
    price = {name: prices[name.rpartition(".")[0]] for name in scores}
    best = _at_rate(rows, price, 0.0)
    if _cost(best, price) > target:
        high = max(float(score.max()) / price[name].weight for name, score in rows.items()) * 2
        low, best = high * 2.0**-BISECTIONS, _at_rate(rows, price, high)
        for _ in range(BISECTIONS):
            middle = (low * high) ** 0.5
            masks = _at_rate(rows, price, middle)
            if _cost(masks, price) > target:
                low = middle
            else:
                high, best = middle, masks
    return {name: mask.to(scores[name].device) for name, mask in best.items()}


def magnitude_scores(model: nn.Module) -> dict[str, Tensor]:
    """(a / std(a))^2 per layer: comparable between layers without data."""
    return {name: (a / a.std(correction=0).clamp_min(1e-30)) ** 2 for name, a in sparse_matrices(model).items()}


def fisher_scores(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """a^2 * mean(g^2), g the gradient of each batch's loss: about what the loss rises by when a is set to 0.

    Of several processes each takes some of the batches; all get the same scores.
    """
    parameters, device = sparse_parameters(model), next(model.parameters()).device
    squares = {name: torch.zeros_like(p) for name, p in parameters.items()}
    training, frozen = model.training, [p for p in parameters.values() if not p.requires_grad]
    model.eval()
    for parameter in frozen:
        parameter.requires_grad_(True)
    count = 0
    for x, y in batches:
        if count % processes.world() == processes.rank():
            loss = F.cross_entropy(model(x.to(device)).float(), y.to(device))
            gradients = torch.autograd.grad(loss, list(parameters.values()))
            for square, gradient in zip(squares.values(), gradients, strict=True):
                square += gradient**2
        count += 1
    processes.total(*squares.values())
    for parameter in frozen:
        parameter.requires_grad_(False)
    model.train(training)
    if not count:
        raise UsageError("no batch to score the weights on; give a loader that is not empty")
    return {name: a**2 * squares[name].view_as(a) / count for name, a in sparse_matrices(model).items()}


@torch.no_grad()
def apply_masks(model: nn.Module, masks: Masks) -> None:
    """Set to zero, in place, what the masks do not keep."""
    for name, matrix in sparse_matrices(model).items():
        if name in masks:
            matrix.masked_fill_(~masks[name], 0)


class Mask:
    """Masks that a training loop holds; `set` exchanges them between epochs.

    The gradient is masked, so that momentum gathers nothing for a pruned weight; after each step the weight is masked
    as well, which makes the zeros exact whatever the optimizer adds.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model, self.masks = model, held(model)

    def set(self, masks: Masks) -> None:
        self.masks = masks
        apply_masks(self.model, masks)

    def gradient(self) -> None:
        for name, parameter in sparse_parameters(self.model).items():
            if parameter.grad is not None:
                parameter.grad.masked_fill_(~self.masks[name].view_as(parameter), 0)

    def step(self) -> None:
        apply_masks(self.model, self.masks)


def holding(model: nn.Module) -> Hooks:
    """Hooks that hold the zeros that are there now."""
    mask = Mask(model)
    return Hooks(gradient=mask.gradient, step=mask.step)


def gradually(model: nn.Module, choose: Callable[[float], Masks], epochs: int) -> Hooks:
    """Hooks that prune at the beginning of each of the first `epochs` epochs, then hold.

    `choose(share)` gives the masks for `share` (0 to 1) of the pruning. The share rises as 1 - (1 - t)^3, fast at
    first, so that most is pruned while the learning rate is still high. Zeros stay zero from epoch to epoch, and all
    state is in the weights, so an interrupted run can resume.
    """
    mask = Mask(model)

    def epoch(number: int) -> None:
        now = held(model)
        if number < epochs:
            wanted = choose(1 - (1 - (number + 1) / epochs) ** 3)
            now = {name: wanted[name] & now[name] for name in now}
        mask.set(now)

    return Hooks(epoch=epoch, gradient=mask.gradient, step=mask.step)


def sparsity(masks: Masks) -> float:
    """The share of weights that are pruned."""
    return 1 - sum(int(mask.sum()) for mask in masks.values()) / sum(mask.numel() for mask in masks.values())


def _at_rate(rows: Mapping[str, Tensor], price: Mapping[str, Price], rate: float) -> Masks:
    masks = {}
    for name, score in rows.items():
        worth = (score - rate * price[name].weight).clamp_min(0)
        mask = (worth > 0) & (worth.sum(0) > rate * price[name].column)
        mask.view(-1)[score.argmax()] = bool(score.max() > 0)
        masks[name] = mask
    return masks


def _cost(masks: Masks, price: Mapping[str, Price]) -> float:
    return sum(
        float(mask.sum()) * price[name].weight + float(mask.any(0).sum()) * price[name].column
        for name, mask in masks.items()
    )
