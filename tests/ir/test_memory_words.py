"""Words of memories: many at once are the same as one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from penni_hls.ir.ops.memory import to_word, to_words


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_many_words_at_once(widths, count, seed) -> None:
    values = np.random.default_rng(seed).integers(-(2**45), 2**45, (len(widths), count))
    expected = tuple(to_word(tuple(zip(column, widths))) for column in values.T.tolist())
    assert to_words(zip(values, widths)) == expected


def test_a_field_is_modulo_its_width() -> None:
    assert to_words([(np.array([-1, 1], np.int8), 2), (np.array([3, -8]), 4)]) == (0b1111, 0b100001)
