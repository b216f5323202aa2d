"""The integer vocabulary: one file per hardware operator."""

from .avg_pool import AvgPool
from .base import Folding
from .basis_conv import BasisConv, BasisConvFolding
from .clip import Clip
from .concat import Concat
from .depthwise_conv import DepthwiseConv, DepthwiseConvFolding
from .fork import Fork
from .global_pool import GlobalPool, GlobalPoolFolding
from .input import Input
from .max_pool import MaxPool
from .sparse_mac import SparseMac, SparseMacFolding
from .subsample import Subsample
from .upsample import Upsample, UpsampleFolding
from .window_pool import WindowPoolFolding

OPERATORS = (
    BasisConv, SparseMac, MaxPool, AvgPool, GlobalPool, Subsample, Fork, Concat, Upsample, DepthwiseConv, Clip,
)  # fmt: skip
FOLDINGS = (
    Folding, BasisConvFolding, SparseMacFolding, WindowPoolFolding, GlobalPoolFolding, UpsampleFolding, DepthwiseConvFolding,
)  # fmt: skip

__all__ = [
    "FOLDINGS",
    "OPERATORS",
    "AvgPool",
    "BasisConv",
    "Clip",
    "Concat",
    "DepthwiseConv",
    "Fork",
    "GlobalPool",
    "Input",
    "MaxPool",
    "SparseMac",
    "Subsample",
    "Upsample",
]
