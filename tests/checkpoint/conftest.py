"""The small network of the tests of `.penni` files, float and integer."""

from __future__ import annotations

import pytest

from penni_hls.ir.graph import Graph
from penni_hls.ir.layers import Layer
from penni_hls.ir.quantized import Quantized
from penni_hls.quantize import quantize

from .penni_nets import small_graph


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph[Layer]:
    return small_graph(tmp_path_factory.mktemp("net"))


@pytest.fixture(scope="session")
def quantized(graph: Graph[Layer]) -> Quantized:
    return quantize(graph, coef_bits=4)
