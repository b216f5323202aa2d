"""sparse_mac: reference = dense A @ B = RTL, and cycles as predicted."""

import pickle
from dataclasses import dataclass, replace

import numpy as np

from penni_hls.ir.ops import SparseMac
from penni_hls.target.fabric import SERIES7

from . import dense
from .cases import Case, case
from .rtl import check_bits, measured_cycles, predicted_cycles, simulate

KIND = "sparse_mac"


def test_reference(case: Case) -> None:
    op = case.op
    skip = case.inputs[1].values if op.skip else None
    wanted = dense.sparse_mac(case.inputs[0].values, op.coefs, op.requant, op.flatten, skip)
    assert np.array_equal(case.expected().values.reshape(wanted.shape), wanted)


def test_rtl_bits(case: Case, rtl) -> None:
    check_bits(case, rtl)


def test_rtl_cycles(case: Case, rtl) -> None:
    assert measured_cycles(case, rtl) == predicted_cycles(case)


def test_can_be_sent_to_another_process_after_use() -> None:
    op = case("mac_q4").op
    offered = op.foldings(SERIES7)
    sent = pickle.loads(pickle.dumps(op))
    assert sent.foldings(SERIES7) == offered
    assert [sent.cost(folding) for folding in offered] == [op.cost(folding) for folding in offered]


@dataclass(frozen=True, eq=False)
class Changed(SparseMac):
    """Some parameters of its hardware are off by so much."""

    changes: tuple[tuple[str, int], ...] = ()

    def parameters(self, folding):
        constants = super().parameters(folding)
        return constants | {name: constants[name] + by for name, by in self.changes}


def test_a_wrong_choice_shows_in_the_rtl(tmp_path) -> None:
    mutations = {
        "mac_pair_extreme": {"PAIR_SHIFT": 1, "PAIR_EXTRA": -1},
        "mac_lut_extreme": {"ACCW": -3},
        "mac_q4": {},
    }
    trials = []
    for name, changes in mutations.items():
        whole = case(name)
        fields = (whole.op.z, whole.op.coefs, whole.op.coef_type, whole.op.requant, whole.op.skip, whole.op.flatten)
        trials.append(replace(whole, op=Changed(*fields, tuple(changes.items()))))
    result = simulate(tuple(trials), tmp_path)
    for trial in trials:
        wrong = any(phase.complaint is not None for phase in result.phases[trial.id])
        assert wrong == bool(mutations[trial.id]), trial.id
