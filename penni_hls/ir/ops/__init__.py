"""The integer vocabulary: one file per hardware operator."""

from .basis_conv import BasisConv
from .fork import Fork
from .global_pool import GlobalPool
from .input import Input
from .max_pool import MaxPool
from .sparse_mac import SparseMac
from .subsample import Subsample

OPERATORS = (BasisConv, SparseMac, MaxPool, GlobalPool, Subsample, Fork)

__all__ = ["OPERATORS", "BasisConv", "Fork", "GlobalPool", "Input", "MaxPool", "SparseMac", "Subsample"]
