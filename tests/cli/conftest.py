"""For train and compress: a few images, a dense network, the command. As in tests/compression, one thread."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..compression.conftest import one_thread  # noqa: F401 (a fixture)
from .cifar import make_data, make_dense

QUICK = ("--epochs", 2, "--finetune", 2, "--batch", 32, "--device", "cpu")


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("data") / "cifar")


@pytest.fixture(scope="session")
def dense(tmp_path_factory) -> Path:
    return make_dense(tmp_path_factory.mktemp("dense") / "dense.pt")


@pytest.fixture
def compress(command, data, dense):
    def call(output, *options, quick=QUICK):
        return command(
            "compress", "--arch", "resnet8", "--weights", dense, "--data", data, "-o", output, *quick, *options
        )

    return call
