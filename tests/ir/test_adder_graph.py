"""The adder graph equals the matrix product, and what it says of ranges and stages is true."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penni_hls.ir.fixed import QType
from penni_hls.ir.ops.adder_graph import ADDERS_PER_STAGE, solve


@st.composite
def matrices(draw):
    outputs, inputs = draw(st.integers(1, 6)), draw(st.sampled_from([1, 4, 9, 25]))
    limit = draw(st.sampled_from([1, 7, 31, 127]))
    values = draw(st.lists(st.integers(-limit, limit), min_size=outputs * inputs, max_size=outputs * inputs))
    return np.array(values, np.int64).reshape(outputs, inputs)


@settings(max_examples=150, deadline=None)
@given(matrices(), st.booleans(), st.integers(0, 2**32 - 1))
def test_equals_the_matrix_product_and_stays_in_range(matrix, signed, seed):
    graph = solve(matrix, QType(8, signed))
    x = np.random.default_rng(seed).integers(graph.x_type.lo, graph.x_type.hi + 1, (20, matrix.shape[1]))
    x = np.concatenate([x, np.where(matrix > 0, graph.x_type.hi, graph.x_type.lo)])  # every output at its largest
    x = np.concatenate([x, np.where(matrix > 0, graph.x_type.lo, graph.x_type.hi)])
    assert np.array_equal(graph.evaluate(x), x @ matrix.T)
    values = [x[:, i] for i in range(graph.inputs)]
    for adder in graph.adders:
        a, b = values[adder.a] << adder.a_shift, values[adder.b] << adder.b_shift
        values.append(a - b if adder.subtract else a + b)
        assert adder.lo <= values[-1].min() and values[-1].max() <= adder.hi
    for out, row in zip(graph.outputs, graph.evaluate(x).T):
        assert (row.min(), row.max()) == (out.lo, out.hi)


@pytest.mark.parametrize("seed", range(3))
def test_no_path_between_registers_is_longer_than_the_limit(seed):
    graph = solve(np.random.default_rng(seed).integers(-127, 128, (5, 9)), QType(8, False))
    depth = [0] * graph.inputs
    for index, adder in enumerate(graph.adders):
        stage = graph.stages[graph.inputs + index]
        depth.append(1 + max(depth[s] if graph.stages[s] == stage else 0 for s in (adder.a, adder.b)))
    assert max(depth) <= ADDERS_PER_STAGE
    assert graph.latency == max(graph.stages)


def test_zero_outputs_have_no_source():
    graph = solve(np.zeros((2, 9), np.int64), QType(8, False))
    assert [out.source for out in graph.outputs] == [None, None] and graph.latency == 1
