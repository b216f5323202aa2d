"""Step B, alternating training: coefficients under L1 with the bases frozen, then bases with frozen coefficients."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..training.train import Hooks
from .decompose import PenniConv2d
from .prune import sparse_parameters

COEFFICIENTS, BASES = "coefficients", "bases"


def phase(epoch: int, every: int) -> str:
    """What epoch `epoch` (from 0) trains: `every` epochs the coefficients, then `every` epochs the bases, repeated."""
    if every < 1:
        raise UsageError(f"alternating every {every} epochs: it must be 1 or more")
    return COEFFICIENTS if (epoch // every) % 2 == 0 else BASES


def freeze(model: nn.Module, trained: str | None) -> None:
    """Train only the `trained` side of each decomposed layer (None: both). All others stay trainable."""
    for module in model.modules():
        if isinstance(module, PenniConv2d):
            module.coefs.requires_grad_(trained != BASES)
            module.basis.requires_grad_(trained != COEFFICIENTS)


def l1(model: nn.Module) -> Tensor:
    """The sum of |a| over all coefficients and 1x1 weights: a scalar with a gradient."""
    return torch.stack([p.abs().sum() for p in sparse_parameters(model).values()]).sum()


def alternating(model: nn.Module, strength: float, every: int) -> Hooks:
    """Hooks that alternate what is frozen and add `strength` * L1 to the loss. The phase depends on the epoch alone.

    While the bases are trained their length is free, and a longer basis would let L1 shrink the coefficients
    without any gain; so at the start of each phase the bases are scaled to unit length and the coefficients by the
    inverse.
    """

    def epoch(number: int) -> None:
        freeze(model, phase(number, every))
        normalise(model)

    return Hooks(epoch=epoch, penalty=lambda: strength * l1(model))


@torch.no_grad()
def normalise(model: nn.Module) -> None:
    """Scale, in place, each basis to unit length and its coefficients by the inverse: the weights stay the same."""
    for module in model.modules():
        if isinstance(module, PenniConv2d):
            length = module.basis.norm(dim=1)
            length[length == 0] = 1
            module.basis.div_(length[:, None])
            module.coefs.mul_(length)
