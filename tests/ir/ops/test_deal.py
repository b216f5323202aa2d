"""deal: every image at one reader, by turns = RTL, and cycles as predicted."""

import numpy as np

from penni_hls.backends.rtl.bench import SMOOTH

from .cases import FRAMES, Case
from .rtl import PHASES, predicted_cycles

KIND = "deal"


def test_reference(case: Case) -> None:
    value, copies = case.expected(), case.op.copies
    given = [case.op.given(value, reader).values for reader in range(copies)]
    assert [len(part) for part in given] == [case.op.images_out((FRAMES,), reader) for reader in range(copies)]
    for image in range(FRAMES):
        assert np.array_equal(given[image % copies][image // copies], case.inputs[0].values[image])


def test_rtl_bits(case: Case, rtl) -> None:
    phases = rtl.phases[case.id]
    assert [phase.name for phase in phases] == [phase.name for phase in PHASES]
    for phase in phases:
        assert phase.complaint is None, f"{phase.name}: {phase.complaint}"


def test_rtl_cycles(case: Case, rtl) -> None:
    """A reader gets a frame in the time of one for each."""
    (smooth,) = (phase for phase in rtl.phases[case.id] if phase.name == SMOOTH.name)
    predicted = predicted_cycles(case)
    assert predicted == case.op.cycles(case.folding)
    assert all(cycles == predicted for cycles in smooth.frame_cycles)
