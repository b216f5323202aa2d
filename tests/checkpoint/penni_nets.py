"""The small network that `.penni` files are made of, and how a network is compared with another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from penni_hls.checkpoint import read
from penni_hls.ir.graph import Graph
from penni_hls.ir.layers import Layer

from .models import ResNet, decomposed, randomised

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def small_graph(folder: Path) -> Graph[Layer]:
    """A decomposed ResNet, a tenth of its coefficients not zero; read from a state dict that is written to `folder`."""
    torch.manual_seed(0)
    path = folder / "net.pt"
    torch.save(decomposed(randomised(ResNet((1, 1), (4, 8), None, "linear")).state_dict(), keep=0.1), path)
    return read(path, mean=MEAN, std=STD)


def assert_same(have: Graph, want: Graph) -> None:
    """Bit for bit, but for the sign of zeros."""
    assert [(node.name, type(node.op), node.inputs) for node in have] == [
        (node.name, type(node.op), node.inputs) for node in want
    ]
    for node, other in zip(have, want):
        for field, value in vars(other.op).items():
            found = getattr(node.op, field, None)
            if isinstance(value, np.ndarray) and field in type(node.op).__dataclass_fields__:
                assert found.dtype == value.dtype and found.shape == value.shape
                assert found.tobytes() == (value + value.dtype.type(0)).tobytes()
            elif field in type(node.op).__dataclass_fields__ and not hasattr(value, "__dataclass_fields__"):
                assert found == value and type(found) is type(value)
