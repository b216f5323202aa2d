"""A torch.nn.Module in memory -> Graph[Layer], through torch.export."""

from __future__ import annotations

import io
import warnings

import torch
from torch import nn

from ..errors import CheckpointError
from ..ir.graph import Graph
from ..ir.layers import Layer
from .pt2_file import read
from .traced.build import build

BATCH = 2  # of the traced example: not 1, so that the batch axis is not squeezed


def from_module(
    model: nn.Module,
    shape: tuple[int, int, int],
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
) -> Graph[Layer]:
    """The network of any model that torch.export can trace and the vocabulary holds, in evaluation mode.

    shape: (C, H, W) of an image. mean, std: of the pixels 0..1; None: CIFAR-10's for three channels, else 0 and 1.
    The model is left as it was. Raises CheckpointError, one line.
    """
    return build(read(io.BytesIO(archive(model, shape))), mean, std).graph


def archive(model: nn.Module, shape: tuple[int, int, int]) -> bytes:
    """What torch.export.save writes of the model in evaluation mode, for any number of images (N, *shape)."""
    modes = {module: module.training for module in model.modules()}
    parameter = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    example = torch.zeros(BATCH, *shape, dtype=parameter.dtype, device=parameter.device)
    batch = {0: torch.export.Dim.AUTO}  # open where the network allows it
    file = io.BytesIO()
    try:
        model.eval()
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            exported = torch.export.export(model, (example,), dynamic_shapes=(batch,))
            torch.export.save(exported, file)
    except Exception as error:  # whatever the model's own code raises while it is traced
        text = " ".join(str(error).split())[:300]
        raise CheckpointError(f"torch.export cannot trace the network: {type(error).__name__}: {text}") from error
    finally:
        for module, training in modes.items():
            module.training = training
    return file.getvalue()
