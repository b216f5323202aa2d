"""Coefficients of fewer bits: in range, and none of them lost."""

import numpy as np
import pytest

from penni_hls.ir.graph import verify
from penni_hls.ir.ops import SparseMac
from penni_hls.passes.fewer_bits import coef_bits, fewer_bits
from tests.networks import random_resnet


@pytest.mark.parametrize("bits", [2, 3, 6, 8])
def test_no_more_bits_and_as_many_products(bits: int):
    graph = random_resnet()
    narrow = verify(fewer_bits(graph, bits))
    assert coef_bits(graph) == 8 and coef_bits(narrow) == bits
    for before, after in zip(graph, narrow):
        if isinstance(before.op, SparseMac):
            assert np.abs(after.op.coefs).max() < 1 << (bits - 1)
            assert np.array_equal(np.sign(before.op.coefs), np.sign(after.op.coefs))
