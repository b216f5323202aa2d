"""The float vocabulary: the layers of a trained network, as numpy arrays.

Maps are (H, W, C) for one image, (N, H, W, C) float32 in `reference`. Weights keep the layout torch gives them.
Every layer says what it takes (`in_specs`), what it gives (`out_spec`), how it computes (`reference`) and what it holds
and costs (`count`).
"""

from .avg_pool import AvgPool
from .base import MapSpec, columns
from .clip import Clip
from .concat import Concat
from .convolution import Conv, GroupedConv, GroupedPenniConv, PenniConv
from .count import Count, LayerCount
from .plain import Add, BatchNorm, GlobalAvgPool, Input, Linear, MaxPool, PadShortcut, Relu
from .scale import Scale
from .upsample import Upsample

Layer = (
    Input
    | Conv
    | GroupedConv
    | PenniConv
    | GroupedPenniConv
    | Linear
    | BatchNorm
    | Relu
    | Add
    | MaxPool
    | AvgPool
    | GlobalAvgPool
    | PadShortcut
    | Concat
    | Upsample
    | Clip
    | Scale
)

__all__ = [
    "Add",
    "AvgPool",
    "BatchNorm",
    "Clip",
    "Concat",
    "Conv",
    "Count",
    "GlobalAvgPool",
    "GroupedConv",
    "GroupedPenniConv",
    "Input",
    "Layer",
    "LayerCount",
    "Linear",
    "MapSpec",
    "MaxPool",
    "PadShortcut",
    "PenniConv",
    "Relu",
    "Scale",
    "Upsample",
    "columns",
]
