"""The integer vocabulary: one file per hardware operator."""

from .base import Folding
from .basis_conv import BasisConv, BasisConvFolding
from .concat import Concat
from .fork import Fork
from .global_pool import GlobalPool, GlobalPoolFolding
from .input import Input
from .max_pool import MaxPool, MaxPoolFolding
from .sparse_mac import SparseMac, SparseMacFolding
from .subsample import Subsample
from .upsample import Upsample, UpsampleFolding

OPERATORS = (BasisConv, SparseMac, MaxPool, GlobalPool, Subsample, Fork, Concat, Upsample)
FOLDINGS = (Folding, BasisConvFolding, SparseMacFolding, MaxPoolFolding, GlobalPoolFolding, UpsampleFolding)

__all__ = [
    "FOLDINGS",
    "OPERATORS",
    "BasisConv",
    "Concat",
    "Fork",
    "GlobalPool",
    "Input",
    "MaxPool",
    "SparseMac",
    "Subsample",
    "Upsample",
]
