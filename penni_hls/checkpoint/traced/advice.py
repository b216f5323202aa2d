"""What an operation is called by those who write networks, and what to do instead where it is not supported."""

from __future__ import annotations

import re

from .program import SUPPORTED, Call

CONTAINERS = ("Sequential", "ModuleList", "ModuleDict", "Module")
RELU = "replace it by ReLU and fine-tune"
NORM = "replace it by BatchNorm2d and train again"
UPSAMPLE = "replace it by nearest-neighbour upsampling and a convolution, and train again"
IMAGES = "only networks of 2-D convolutions on images are supported"
LATER = "only at the end of the network can it be left out"
# By name in lower case, without punctuation: what to call it, and a way out.
UNSUPPORTED: dict[str, tuple[str, str]] = {
    **{name.lower(): (name, RELU) for name in (
        "SiLU", "GELU", "Mish", "ELU", "SELU", "CELU", "LeakyReLU", "PReLU", "RReLU", "Softplus", "Softsign", "Tanh",
        "Hardsigmoid", "LogSigmoid", "Tanhshrink", "Softshrink", "Hardshrink", "GLU", "Sigmoid",
    )},
    "swish": ("SiLU", RELU),
    "erf": ("erf, as GELU has it,", RELU),
    "hardswish": ("Hardswish", "replace it by ReLU6 and fine-tune"),
    "softmax": ("softmax", LATER),
    "logsoftmax": ("log_softmax", LATER),
    "argmax": ("argmax", LATER),
    **{name.lower(): (name, NORM) for name in (
        "GroupNorm", "LayerNorm", "InstanceNorm1d", "InstanceNorm2d", "RMSNorm", "LocalResponseNorm",
    )},
    "instancenorm": ("InstanceNorm2d", NORM),
    "layernormalization": ("LayerNorm", NORM),
    "groupnormalization": ("GroupNorm", NORM),
    "instancenormalization": ("InstanceNorm2d", NORM),
    "lrn": ("LocalResponseNorm", NORM),
    "convtranspose": ("a transposed convolution", UPSAMPLE),
    "convtranspose2d": ("a transposed convolution", UPSAMPLE),
    "pixelshuffle": ("PixelShuffle", UPSAMPLE),
    "depthtospace": ("PixelShuffle", UPSAMPLE),
    "pixelunshuffle": ("PixelUnshuffle", "replace it by a convolution with a stride, and train again"),
    "spacetodepth": ("PixelUnshuffle", "replace it by a convolution with a stride, and train again"),
    **dict.fromkeys(
        ("upsamplebilinear2d", "upsamplebicubic2d", "upsampletrilinear3d", "upsamplelinear1d"),
        ("interpolation other than nearest-neighbour", "use mode='nearest' with a whole factor, and fine-tune"),
    ),
    **dict.fromkeys(
        ("scaleddotproductattention", "multiheadattention", "attention"),
        ("attention", IMAGES),
    ),
    **{name.lower(): (name, IMAGES) for name in ("LSTM", "GRU", "RNN", "Conv1d", "Conv3d", "Embedding", "Bilinear")},
    "sum": ("a sum over axes", "take the mean, and scale the weights of the layer that reads it"),
    "reducesum": ("a sum over axes", "take the mean, and scale the weights of the layer that reads it"),
    **dict.fromkeys(
        ("split", "splitwithsizes", "chunk"), ("splitting a map", "give each branch a convolution of its own"),
    ),
    "productofmaps": ("a product of maps, as in squeeze-and-excitation,", "leave it out and fine-tune"),
    "transpose": ("reordering the axes of a map", "leave it out, and train again"),
    "permute": ("reordering the axes of a map", "leave it out, and train again"),
}  # fmt: skip

# Exporters make several operations of these: each is then called by the name that its author knows.
COMPOSED = {name.lower() for name in (
    "SiLU", "GELU", "Mish", "ELU", "SELU", "CELU", "LeakyReLU", "Softplus", "Softsign", "Hardsigmoid", "LogSigmoid",
    "Tanhshrink", "Softshrink", "Hardshrink", "GLU", "Hardswish", "GroupNorm", "LayerNorm", "InstanceNorm1d",
    "InstanceNorm2d", "InstanceNorm", "RMSNorm", "LocalResponseNorm", "PixelShuffle", "PixelUnshuffle",
    "MultiheadAttention",
)}  # fmt: skip


def key_of(name: str) -> str:
    """`aten.leaky_relu_`, `nn.LeakyReLU` and `LeakyRelu` -> `leakyrelu`."""
    parts = name.removeprefix("aten.").removeprefix("nn.").split(".")
    return re.sub(r"[^a-z0-9]", "", parts[0].lower())


def kind_of(classes: str, function: str) -> str:
    """What the author called an operation: `nn.ReLU6`, or the function `silu`; "" where unknown.

    classes: of the innermost module, `torch.nn.modules.activation.ReLU6`. function: of torch; told only where the
    operation may be but a part of it.
    """
    name = classes.rpartition(".")[2]
    if classes.startswith("torch.nn.modules.") and name not in CONTAINERS:
        return f"nn.{name}"
    name = function.removeprefix("aten.").split(".")[0]
    return name if key_of(name) in COMPOSED else ""


def composed(call: Call) -> bool:
    """Is the operation a part of one that is not supported as a whole?"""
    return key_of(call.kind) in COMPOSED


def unsupported(call: Call) -> str:
    """That the operation is not supported, and what to do."""
    for name in (call.kind, call.what):
        known = UNSUPPORTED.get(key_of(name))
        if known is not None:
            return f"{known[0]} is not supported; {known[1]}"
    return f"this operation is not supported here; supported are {SUPPORTED}"
