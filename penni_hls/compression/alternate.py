"""Step B: coefficients trained under L1 with the bases frozen, then bases with the coefficients frozen, in turn."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..training.train import Hooks
from .decompose import PenniConv2d
from .prune import sparse_parameters

COEFFICIENTS, BASES = "coefficients", "bases"


def phase(epoch: int, every: int) -> str:
    """What epoch `epoch` (from 0) trains: `every` epochs of coefficients, as many of bases, and again."""
    if every < 1:
        raise UsageError(f"alternation every {every} epochs: it must be 1 or more")
    return COEFFICIENTS if (epoch // every) % 2 == 0 else BASES


def freeze(model: nn.Module, trained: str | None) -> None:
    """Let only the `trained` side of each decomposed layer move (None: both). Other parameters go on being trained."""
    for module in model.modules():
        if isinstance(module, PenniConv2d):
            module.coefs.requires_grad_(trained != BASES)
            module.basis.requires_grad_(trained != COEFFICIENTS)


def l1(model: nn.Module) -> Tensor:
    """The sum of |a| over all coefficients and 1x1 weights: a scalar with a gradient."""
    return torch.stack([p.abs().sum() for p in sparse_parameters(model).values()]).sum()


def alternating(model: nn.Module, strength: float, every: int) -> Hooks:
    """Hooks that freeze by turns and add `strength` * L1 to the loss. The phase depends on the epoch alone.

    While the bases are trained their length is free, and a longer basis would let L1 shrink the coefficients for
    nothing; so at each phase's beginning the bases are brought to unit length and the coefficients take up the
    factor.
    """

    def epoch(number: int) -> None:
        freeze(model, phase(number, every))
        normalise(model)

    return Hooks(epoch=epoch, penalty=lambda: strength * l1(model))


@torch.no_grad()
def normalise(model: nn.Module) -> None:
    """Bring, in place, each basis to unit length, its coefficients taking up the factor: the weights stay."""
    for module in model.modules():
        if isinstance(module, PenniConv2d):
            length = module.basis.norm(dim=1)
            length[length == 0] = 1
            module.basis.div_(length[:, None])
            module.coefs.mul_(length)
