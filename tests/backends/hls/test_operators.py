"""Every operator case: the C++ equals the reference, value for value, in the fast build and with true widths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from penni_hls.backends.hls.gxx import Alone, csim_operators
from penni_hls.ir.fixed import QType
from penni_hls.ir.ops import BasisConv, SparseMac
from penni_hls.ir.ops.memory import Memory
from tests.ir.ops.cases import ADDRESSES, CASES, S8, S24, Case, basis_conv, sparse_mac

# Words of more than 64 and more than 128 bits, in streams and in read-only memories.
WIDE = (
    basis_conv("wide_tile_q16", (5, 5, 2), q=16, d=3, z=QType(9, True)),
    basis_conv("wide_tile_q32", (6, 8, 2), q=32, d=2),
    sparse_mac("wide_tile_mac", (5, 5, 2, 3), co=3, q=16, z=QType(9, True), skip=S8),
    sparse_mac("wide_program", (1, 1, 1024), 6, q=1, p=4, z=QType(12, False), y=S24, density=0.1, **ADDRESSES),
    sparse_mac("wide_requant", (3, 3, 2, 3), co=5, q=4, p=4, shift=46),
)
ALL = {case.id: case for cases in (*CASES.values(), WIDE) for case in cases}
BUILDS = {"fast": {}, "bounded": {"bounded": True, "exact": True}}


def alone(case: Case) -> Alone:
    return Alone(case.op, case.folding, case.inputs)


@pytest.fixture(scope="module", params=BUILDS)
def outputs(request, tmp_path_factory):
    """What the C++ gave for every case, compiled together."""
    work = tmp_path_factory.mktemp(f"operators-{request.param}")
    return csim_operators({name: alone(case) for name, case in ALL.items()}, work, **BUILDS[request.param])


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_equals_the_reference(outputs, name):
    case = ALL[name]
    ports = outputs[name]
    assert len(ports) == case.op.readers
    for number, port in enumerate(ports):
        np.testing.assert_array_equal(port, case.op.given(case.expected(), number).values)


@pytest.mark.slow
def test_the_wide_cases_are_wide():
    memories = [memory.width for case in WIDE for memory in case.op.memories(case.folding).values()]
    tiles = [case.folding.q * case.op.z_type.bits for case in WIDE if isinstance(case.op, BasisConv)]
    assert max(memories) > 64 and max(tiles) > 128
    assert ALL["mac_p8_wide_program"].op.memories(ALL["mac_p8_wide_program"].folding)["program"].width > 128


@dataclass(frozen=True, eq=False)
class FlippedCoefficient(SparseMac):
    """Its program has one wrong bit."""

    def memories(self, folding):
        images = super().memories(folding)
        program = images["program"]
        return images | {"program": Memory(program.width, (program.words[0] ^ 64, *program.words[1:]))}


@dataclass(frozen=True, eq=False)
class FlippedShift(SparseMac):
    def parameters(self, folding):
        constants = super().parameters(folding)
        return constants | {"SHIFT": constants["SHIFT"] - 1}


@dataclass(frozen=True, eq=False)
class NarrowTotal(SparseMac):
    """Three bits short: only a build with true widths can see that."""

    def parameters(self, folding):
        constants = super().parameters(folding)
        return constants | {"TOTALW": constants["TOTALW"] - 3}


@dataclass(frozen=True, eq=False)
class WideSpacing(SparseMac):
    """Pairs further apart than the pre-adder has bits for: only a build with true widths can see that."""

    def parameters(self, folding):
        constants = super().parameters(folding)
        shift, extra = constants["PAIR_SHIFT"] + 1, constants["PAIR_EXTRA"] - 1
        return constants | {"PAIR_SHIFT": shift, "PAIR_EXTRA": extra}


@dataclass(frozen=True, eq=False)
class ShortStep(SparseMac):
    """One step of its program ends one address too early."""

    def memories(self, folding):
        images = super().memories(folding)
        program, bit = images["program"], 1 << self.coef_bits
        shorter = next(at for at, word in enumerate(program.words) if at and word & bit)
        words = (*program.words[:shorter], program.words[shorter] ^ bit, *program.words[shorter + 1 :])
        return images | {"program": Memory(program.width, words)}


def mutated(kind: type[SparseMac], case: Case) -> Alone:
    op = case.op
    return Alone(kind(op.z, op.coefs, op.coef_type, op.requant, op.skip, op.flatten), case.folding, case.inputs)


@pytest.mark.slow
def test_a_wrong_bit_shift_or_width_shows(tmp_path):
    case, saturating, pairs, steps = ALL["mac_q4"], ALL["mac_saturate"], ALL["mac_pair_extreme"], ALL["mac_step4_bit"]
    trials = {
        "coefficient": mutated(FlippedCoefficient, case),
        "shift": mutated(FlippedShift, case),
        "width": mutated(NarrowTotal, saturating),
        "spacing": mutated(WideSpacing, pairs),
        "step": mutated(ShortStep, steps),
        "right": alone(case),
    }
    got = csim_operators(trials, tmp_path, exact=True)
    np.testing.assert_array_equal(got["right"][0], case.expected().values)
    assert (got["coefficient"][0] != case.expected().values).any()
    assert (got["shift"][0] != case.expected().values).any()
    assert (got["width"][0] != saturating.expected().values).any()
    assert (got["spacing"][0] != pairs.expected().values).any()
    assert (got["step"][0] != steps.expected().values).any()
