"""merge: the images of its inputs by turns = RTL, and cycles as predicted."""

import numpy as np

from penni_hls.backends.rtl.bench import SMOOTH

from .cases import Case
from .rtl import PHASES, predicted_cycles

KIND = "merge"


def test_reference(case: Case) -> None:
    y = case.expected().values
    assert len(y) == sum(len(tensor.values) for tensor in case.inputs)
    for image in range(len(y)):
        assert np.array_equal(y[image], case.inputs[image % case.op.copies].values[image // case.op.copies])


def test_rtl_bits(case: Case, rtl) -> None:
    """Every image of every input, also where the last round is not complete."""
    phases = rtl.phases[case.id]
    assert [phase.name for phase in phases] == [phase.name for phase in PHASES]
    for phase in phases:
        assert phase.complaint is None, f"{phase.name}: {phase.complaint}"
        assert len(phase.frame_cycles) == len(case.expected().values) - 1


def test_rtl_cycles(case: Case, rtl) -> None:
    (smooth,) = (phase for phase in rtl.phases[case.id] if phase.name == SMOOTH.name)
    assert smooth.frame_cycles[-1] == predicted_cycles(case)
