"""Step A: each k x k convolution's kernels as combinations of d basis kernels, by truncated SVD."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UsageError
from ..zoo.models import PadShortcut

Rank = int | float | Mapping[str, int | float]


class PenniConv2d(nn.Module):
    """A convolution whose weight is `coefs @ basis`.

    basis (d, k*k): the layer's basis kernels, row by row. coefs (C_out*C_in, d): row o*C_in + i belongs to output
    channel o and input channel i, so W[o, i] = (coefs[o*C_in + i] @ basis).reshape(k, k). bias (C_out,) or None.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        d: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.stride, self.padding = stride, padding
        self.basis = nn.Parameter(torch.zeros(d, kernel_size * kernel_size))
        self.coefs = nn.Parameter(torch.zeros(out_channels * in_channels, d))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    @property
    def d(self) -> int:
        return self.basis.shape[0]

    def weight(self) -> Tensor:
        """The dense weight (C_out, C_in, k, k)."""
        with torch.autocast(self.coefs.device.type, enabled=False):  # cheap, and the rounding of bf16 would be felt
            product = self.coefs @ self.basis
        return product.view(self.out_channels, self.in_channels, self.kernel_size, self.kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight(), self.bias, self.stride, self.padding)

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, d={self.d}, "
            f"stride={self.stride}, padding={self.padding}, bias={self.bias is not None}"
        )


def factors(weight: Tensor, d: int | float) -> tuple[Tensor, Tensor]:
    """weight (C_out, C_in, k, k) -> coefs (C_out*C_in, d), basis (d, k*k) with orthonormal rows, largest share first.

    `d` an int is the number of bases; a float in (0, 1] is the share of the energy (squared norm) that they must
    hold. No mean is taken off. Each basis is signed so that its largest entry is positive: the SVD leaves that open.
    """
    matrix = weight.detach().double().flatten(0, 1).flatten(1)
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    if isinstance(d, float):
        if not 0 < d <= 1:
            raise UsageError(f"energy threshold {d}: it must lie in (0, 1]")
        share = torch.cumsum(s * s, 0) / torch.sum(s * s).clamp_min(torch.finfo(s.dtype).tiny)
        d = int((share < d - 1e-12).sum()) + 1
    if d < 1:
        raise UsageError(f"{d} bases: at least 1 is needed")
    d = min(d, len(s))
    basis = vt[:d]
    sign = torch.sign(basis.gather(1, basis.abs().argmax(1, keepdim=True)))
    sign[sign == 0] = 1
    coefs = u[:, :d] * s[:d] * sign.T
    return coefs.to(weight.dtype), (basis * sign).to(weight.dtype)


def replaceable(module: nn.Module) -> bool:
    """True for convolutions that a PenniConv2d can stand for: square k > 1, one group, no dilation, zero padding."""
    if not isinstance(module, nn.Conv2d) or isinstance(module.padding, str):
        return False
    square = all(len(set(pair)) == 1 for pair in (module.kernel_size, module.stride, module.padding))
    plain = module.groups == 1 and set(module.dilation) == {1} and module.padding_mode == "zeros"
    return square and plain and module.kernel_size[0] > 1


def compressed(model: nn.Module) -> bool:
    """True where some convolution is decomposed already."""
    return any(isinstance(module, PenniConv2d) for module in model.modules())


def decompose(model: nn.Module, d: Rank = 5) -> nn.Module:
    """Replace, in place, each replaceable convolution by a PenniConv2d of `d` bases; return the model.

    `d` as in `factors`, or a mapping from layer names to it; layers that it does not name are not decomposed, as 1x1
    layers, and those that are decomposed already stay as they are.
    """
    layers = {name: module for name, module in model.named_modules() if replaceable(module)}
    if isinstance(d, Mapping):
        unknown = sorted(set(d) - set(layers))
        if unknown:
            raise UsageError(
                f"no convolution to decompose is called {', '.join(unknown)}; there are {', '.join(layers)}"
            )
        layers = {name: module for name, module in layers.items() if name in d}
    if not layers and not compressed(model):
        raise UsageError("the network has no k x k convolution to decompose (square, one group, no dilation)")
    for name, module in layers.items():
        parent, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(parent), leaf, _decomposed(module, d[name] if isinstance(d, Mapping) else d))
    return model


def as_dense(model: nn.Module) -> nn.Module:
    """Undo `decompose` in place: each PenniConv2d becomes an nn.Conv2d of weight `coefs @ basis`; return the model."""
    for name, module in list(model.named_modules()):
        if isinstance(module, PenniConv2d):
            dense = nn.Conv2d(
                module.in_channels,
                module.out_channels,
                module.kernel_size,
                module.stride,
                module.padding,
                bias=module.bias is not None,
            ).to(module.coefs)
            with torch.no_grad():
                dense.weight.copy_(module.weight())
                if module.bias is not None and dense.bias is not None:
                    dense.bias.copy_(module.bias)
            parent, _, leaf = name.rpartition(".")
            setattr(model.get_submodule(parent), leaf, dense)
    return model


def load_penni(model: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """Load a PENNI state dict into a fresh dense `model`, whose layers become PenniConv2d of the same d; return it.

    Channel numbers are taken from the state, so a shrunk network loads as well. A decomposed layer's C_out is that of
    its bias or of the BatchNorm that follows it in the model's order of modules.
    """
    decompose(model, {key.removesuffix(".basis"): len(value) for key, value in state.items() if key.endswith(".basis")})
    layers = [
        (name, module)
        for name, module in model.named_modules()
        if next(module.parameters(recurse=False), None) is not None
    ]
    for position, (name, module) in enumerate(layers):
        if isinstance(module, PenniConv2d):
            following = [
                f"{name}.bias",
                *(f"{layer}.weight" for layer, norm in layers[position + 1 :][:1] if _is_norm(norm)),
            ]
            sizes = [len(state[key]) for key in following if key in state]
            if sizes and len(state[f"{name}.coefs"]) % sizes[0] == 0:
                module.out_channels = sizes[0]
                module.in_channels = len(state[f"{name}.coefs"]) // sizes[0]
        _reshape(name, module, state)
    for name, module in model.named_modules():
        if isinstance(module, PadShortcut) and f"{name}.zeros" in state:
            module.split(*map(int, state[f"{name}.zeros"].tolist()))
    try:
        model.load_state_dict(dict(state))
    except RuntimeError as error:
        raise UsageError(
            f"the state dict does not fit the architecture: {' '.join(str(error).split())[:300]}"
        ) from error
    return model


def _is_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)


def _reshape(name: str, module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give, in place, the module's own parameters and buffers the shapes that `state` has for them."""
    for key, parameter in list(module.named_parameters(recurse=False)):
        wanted = state.get(f"{name}.{key}")
        if wanted is not None and wanted.shape != parameter.shape and wanted.dim() == parameter.dim():
            setattr(module, key, nn.Parameter(parameter.new_zeros(wanted.shape)))
    for key, buffer in list(module.named_buffers(recurse=False)):
        wanted = state.get(f"{name}.{key}")
        if wanted is not None and wanted.shape != buffer.shape and wanted.dim() == buffer.dim():
            setattr(module, key, buffer.new_zeros(wanted.shape))
    if isinstance(module, nn.Conv2d) and module.groups == 1:
        module.out_channels, module.in_channels = module.weight.shape[:2]
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        module.num_features = len(module.weight)


def _decomposed(conv: nn.Module, d: int | float) -> PenniConv2d:
    assert isinstance(conv, nn.Conv2d)
    coefs, basis = factors(conv.weight, d)
    out = PenniConv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size[0],
        len(basis),
        conv.stride[0],
        int(conv.padding[0]),
        conv.bias is not None,
    ).to(conv.weight)
    with torch.no_grad():
        out.coefs.copy_(coefs)
        out.basis.copy_(basis)
        if conv.bias is not None and out.bias is not None:
            out.bias.copy_(conv.bias)
    return out
