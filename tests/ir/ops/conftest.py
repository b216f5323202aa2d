"""RTL results of all cases of an operator, simulated once a session."""

from __future__ import annotations

import pytest

from penni_hls.backends.rtl.bench import BenchResult

from .cases import CASES
from .rtl import simulate


@pytest.fixture(scope="module")
def rtl(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> BenchResult:
    """The results of the operator whose test file asks: it says KIND."""
    kind = request.module.KIND
    return simulate(CASES[kind], tmp_path_factory.mktemp(kind))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `case` runs for each case of its file's operator."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES[metafunc.module.KIND], ids=lambda case: case.id)
