"""The integer vocabulary: one file per hardware operator."""

from .affine import Affine, AffineFolding
from .avg_pool import AvgPool
from .base import Folding
from .basis_conv import BasisConv, BasisConvFolding
from .clip import Clip
from .concat import Concat
from .deal import Deal
from .depthwise_conv import DepthwiseConv, DepthwiseConvFolding
from .fork import Fork
from .global_pool import GlobalPool, GlobalPoolFolding
from .input import Input
from .mac_folding import SparseMacFolding
from .max_pool import MaxPool
from .merge import Merge
from .narrow import Narrow
from .sparse_mac import SparseMac
from .subsample import Subsample
from .upsample import Upsample, UpsampleFolding
from .window_pool import WindowPoolFolding

OPERATORS = (
    BasisConv, SparseMac, MaxPool, AvgPool, GlobalPool, Subsample, Fork, Concat, Upsample, DepthwiseConv, Clip, Affine,
    Deal, Merge, Narrow,
)  # fmt: skip
FOLDINGS = (
    Folding, BasisConvFolding, SparseMacFolding, WindowPoolFolding, GlobalPoolFolding, UpsampleFolding,
    DepthwiseConvFolding, AffineFolding,
)  # fmt: skip

__all__ = [
    "FOLDINGS",
    "OPERATORS",
    "Affine",
    "AvgPool",
    "BasisConv",
    "Clip",
    "Concat",
    "Deal",
    "DepthwiseConv",
    "Fork",
    "GlobalPool",
    "Input",
    "MaxPool",
    "Merge",
    "Narrow",
    "SparseMac",
    "Subsample",
    "Upsample",
]
