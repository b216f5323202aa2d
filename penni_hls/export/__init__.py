"""Ways out: a network as a plain PyTorch module, an ONNX file, or any of the forms that can be read back.

What leaves here needs nothing of this package to run. Weights are dense (`coefs @ basis`) unless the factors are asked for.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from .. import checkpoint
from ..errors import UsageError
from ..files import replace_file
from ..ir.bits import LayerBits
from ..ir.graph import Graph
from ..ir.layers import Layer
from ..ir.quantized import Quantized

SUFFIXES = {
    ".onnx": "ONNX, opset 17",
    ".pt2": "torch.export archive",
    ".pt": "PyTorch state dict",
    ".safetensors": "safetensors",
    ".penni": "penni-hls sparse",
}

__all__ = ["SUFFIXES", "Written", "export", "to_torch"]


@dataclass(frozen=True)
class Written:
    """A file that `export` wrote. form: what it is; penni: whether decomposed layers kept their factors."""

    path: Path
    form: str
    penni: bool
    size: int


def to_torch(source: str | Path | Graph[Layer], *, penni: bool = False) -> nn.Module:
    """The network, or that of a checkpoint, as a plain torch.fx.GraphModule in evaluation mode.

    It takes normalised float32 images (N, C, H, W) and gives logits (N, classes). Its state dict has dense weights under the
    names of the layers; with `penni`, decomposed layers hold `basis` and `coefs` and multiply them when called.
    """
    from .torch_module import module_of

    return module_of(source if isinstance(source, Graph) else checkpoint.read(source), penni)


def check_suffix(path: Path) -> None:
    """UsageError where the name does not say what to write."""
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path}: its suffix says what is written, and must be one of {', '.join(SUFFIXES)}")


def export(
    graph: Graph[Layer],
    path: str | Path,
    *,
    penni: bool = False,
    quantized: Quantized | None = None,
    bits: LayerBits | None = None,
    half: bool = False,
) -> Written:
    """Write the network in the form that the suffix of `path` names, whole or not at all.

    penni: decomposed layers keep their factors, which .penni always does. quantized (the integer network), bits (widths
    of weights), half (weights in 16 bits) go into .penni only.
    """
    path = Path(path)
    check_suffix(path)
    penni = penni or path.suffix == ".penni"
    data = _bytes(graph, path.suffix, penni, quantized, bits, half)
    replace_file(path, data)
    return Written(path, SUFFIXES[path.suffix], penni, len(data))


def _bytes(
    graph: Graph[Layer], suffix: str, penni: bool, quantized: Quantized | None, bits: LayerBits | None, half: bool
) -> bytes:
    match suffix:
        case ".penni":
            from ..checkpoint.penni_file import to_bytes

            return to_bytes(graph, quantized, half, bits)
        case ".onnx":
            from .onnx_model import onnx_model

            return onnx_model(graph, penni).SerializeToString(deterministic=True)
        case ".pt2":
            from ..checkpoint.module import archive

            h, w, c = graph.input.op.out_spec.shape
            return archive(to_torch(graph, penni=penni), (c, h, w))
    from .torch_module import state_dict

    state = state_dict(graph, penni)
    if suffix == ".safetensors":
        import safetensors.torch

        return safetensors.torch.save({name: tensor.detach().contiguous() for name, tensor in state.items()})
    import torch

    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()
