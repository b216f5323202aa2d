"""The program of a sparse product: every non-zero once, rows whole, lanes balanced, in each coding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penni_hls.ir.ops.program import BIT, STEP, Coding, NonZeros, assign, cheapest, codings, entries


@st.composite
def sparse_matrices(draw):
    rows, columns = draw(st.integers(1, 20)), draw(st.integers(1, 60))
    seed, density = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([0.0, 0.03, 0.1, 0.5, 1.0]))
    rng = np.random.default_rng(seed)
    return rng.integers(-127, 128, (rows, columns)) * (rng.random((rows, columns)) < density)


any_coding = st.one_of(
    st.just(Coding()),
    st.builds(Coding, st.integers(1, 7), st.just(BIT)),
    st.builds(Coding, st.integers(2, 7), st.just(STEP)),
)


def walk(coefs: list[int], wheres: list[int], lasts: list[int], coding: Coding, depth: int) -> list[np.ndarray]:
    """The rows that a lane's entries hold, as the hardware reads them."""
    rows, row, at, ended = [], np.zeros(depth, np.int64), 0, False
    for coef, where, last in zip(coefs, wheres, lasts, strict=True):
        begins = ended if coding.row_ends == BIT else where == coding.row_step
        if begins and coding.row_ends == STEP:
            rows.append(row)
            row, at = np.zeros(depth, np.int64), 0
        elif coding.step_bits:
            at = (0 if begins else at) + where
        else:
            at = where
        row[at] += coef  # an address outside the matrix raises
        ended = last
        if ended:
            rows.append(row)
            row = np.zeros(depth, np.int64)
    if coding.row_ends == STEP:
        return [*rows, row]
    assert not row.any(), "entries after a lane's last row"
    return rows


@settings(max_examples=300, deadline=None)
@given(sparse_matrices(), st.integers(1, 4), any_coding)
def test_walking_the_program_gives_the_matrix_back(coefs, lanes, coding):
    lanes = min(lanes, len(coefs))
    matrix = NonZeros.of(coefs)
    assigned = assign(matrix, lanes, coding)
    program = entries(matrix, assigned, coding)
    assert program.coef.shape == program.where.shape == program.last.shape == (lanes, assigned.words)
    assert sorted(row for rows in assigned.rows for row in rows) == list(range(len(coefs)))
    depth, coef_bits = coefs.shape[1], 8
    limit = 1 << coding.where_bits(depth)
    assert (0 <= program.where).all() and (program.where < limit).all()
    assert coding.bits(depth, coef_bits) == coef_bits + coding.where_bits(depth) + (coding.row_ends == BIT)
    for lane, rows in enumerate(assigned.rows):
        assert list(rows) == sorted(rows)
        columns = (array[lane].tolist() for array in (program.coef, program.where, program.last))
        found = walk(*columns, coding, depth)
        assert len(found) == len(rows)
        for row, values in zip(rows, found):
            assert np.array_equal(values, coefs[row])
        assert all(assigned.lane_of()[row] == lane for row in rows)


@settings(max_examples=100, deadline=None)
@given(sparse_matrices(), st.integers(1, 4))
def test_length_is_within_the_bound_of_longest_processing_time_first(coefs, lanes):
    """Graham 1969: LPT is within 4/3 - 1/(3m) of the optimum, and the optimum is at least both bounds below."""
    lanes = min(lanes, len(coefs))
    entries = np.maximum((coefs != 0).sum(1), 1)
    best = max(int(entries.max()), -(-int(entries.sum()) // lanes))
    optimum_at_most = int(entries.max()) + -(-int(entries.sum()) // lanes)
    length = assign(NonZeros.of(coefs), lanes, Coding()).words
    assert best <= length <= optimum_at_most
    if lanes == 1:
        assert length == entries.sum()


@settings(max_examples=50, deadline=None)
@given(sparse_matrices(), st.integers(1, 4))
def test_a_wider_step_needs_no_more_words(coefs, lanes):
    matrix = NonZeros.of(coefs)
    for ends in (BIT, STEP):
        sums = [int(matrix.words(Coding(bits, ends))[0].sum()) for bits in range(2, 8)]
        assert sums == sorted(sums, reverse=True)
    assert sums[-1] >= matrix.words(Coding())[0].sum()


def test_the_codings_of_choice() -> None:
    options = {coding: (100, 10.0) for coding in codings(300)}
    few, many = Coding(5, STEP), Coding(3, STEP)
    options |= {few: (104, 8.0), many: (112, 5.0), Coding(2, STEP): (113, 1.0), Coding(): (100, 9.0)}
    assert cheapest(options) == (few, many, Coding())


def test_a_step_that_begins_a_row_needs_another() -> None:
    with pytest.raises(ValueError, match="1 bits hold no step"):
        Coding(1, STEP)
