"""The program of a sparse product: every non-zero once, rows whole, lanes balanced."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from penni_hls.ir.ops.program import pack


@st.composite
def sparse_matrices(draw):
    rows, columns = draw(st.integers(1, 20)), draw(st.integers(1, 30))
    seed, density = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    rng = np.random.default_rng(seed)
    return rng.integers(-127, 128, (rows, columns)) * (rng.random((rows, columns)) < density)


@settings(max_examples=200, deadline=None)
@given(sparse_matrices(), st.integers(1, 4))
def test_walking_the_program_gives_the_matrix_back(coefs, lanes):
    program = pack(coefs, lanes)
    found = np.zeros_like(coefs)
    for lane, rows in enumerate(program.rows):
        assert list(rows) == sorted(rows)
        ended = iter(rows)
        current: dict[int, int] = {}
        for word in program.words:
            entry = word[lane]
            current[entry.address] = current.get(entry.address, 0) + entry.coef
            if entry.last:
                row = next(ended)
                for address, coef in current.items():
                    found[row, address] += coef
                current = {}
        assert not any(current.values()), "entries after a lane's last row"
        assert next(ended, None) is None, "a row never ends"
    assert np.array_equal(found, coefs)


@settings(max_examples=100, deadline=None)
@given(sparse_matrices(), st.integers(1, 4))
def test_length_is_within_the_bound_of_longest_processing_time_first(coefs, lanes):
    """Graham 1969: LPT is within 4/3 - 1/(3m) of the optimum, and the optimum is at least both bounds below."""
    entries = np.maximum((coefs != 0).sum(1), 1)
    best = max(int(entries.max()), -(-int(entries.sum()) // lanes))
    optimum_at_most = int(entries.max()) + -(-int(entries.sum()) // lanes)
    length = len(pack(coefs, lanes).words)
    assert best <= length <= optimum_at_most
    if lanes == 1:
        assert length == entries.sum()
