"""narrow: single values instead of words of several = RTL, and cycles as predicted."""

import numpy as np
import pytest

from penni_hls.ir.graph import TensorSpec
from penni_hls.ir.ops import Narrow
from penni_hls.ir.streams import Stream

from .cases import U8, Case
from .rtl import check_bits, measured_cycles, predicted_cycles

KIND = "narrow"


def test_reference(case: Case) -> None:
    assert np.array_equal(case.expected().values, case.inputs[0].values)
    (port,) = case.op.inputs(case.folding)
    words = port.stream.beats(case.inputs[0].values)
    assert words.shape == (len(case.inputs[0].values) * port.stream.beats_per_frame, case.op.values)
    assert np.array_equal(port.stream.tensor(words), case.inputs[0].values)
    assert words[0].tolist() == case.inputs[0].values.reshape(-1)[: case.op.values].tolist()


def test_rtl_bits(case: Case, rtl) -> None:
    check_bits(case, rtl)


def test_rtl_cycles(case: Case, rtl) -> None:
    """A value in every cycle, without a gap between words."""
    assert measured_cycles(case, rtl) == predicted_cycles(case) == np.prod(case.op.x.shape)


def test_words_make_a_map() -> None:
    for make in (Narrow, Stream):
        with pytest.raises(ValueError, match="4 values"):
            make(TensorSpec((3, 3, 3), U8), 4)
