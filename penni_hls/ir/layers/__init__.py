"""The float vocabulary: the layers of a trained network, as numpy arrays.

Maps are (H, W, C) for one image, (N, H, W, C) float32 in `reference`. Weights keep the layout torch gives them.
Every layer says what it takes (`in_specs`), what it gives (`out_spec`), how it computes (`reference`) and how large it
is (`size`).
"""

from .base import MapSpec, Size, columns
from .convolution import Conv, PenniConv
from .plain import Add, BatchNorm, GlobalAvgPool, Input, Linear, MaxPool, PadShortcut, Relu

Layer = Input | Conv | PenniConv | Linear | BatchNorm | Relu | Add | MaxPool | GlobalAvgPool | PadShortcut

__all__ = [
    "Add", "BatchNorm", "Conv", "GlobalAvgPool", "Input", "Layer", "Linear", "MapSpec", "MaxPool", "PadShortcut",
    "PenniConv", "Relu", "Size", "columns",
]  # fmt: skip
