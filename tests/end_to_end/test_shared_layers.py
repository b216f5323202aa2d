"""Layers that a network calls twice: each call is an operator of its own, with the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest

import penni_hls
from penni_hls.ir.ops import BasisConv

from ..checkpoint.traced_nets import shared
from . import networks

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("form", ["pt2", "onnx"])
def test_both_calls_are_in_the_project(form: str, tmp_path: Path) -> None:
    model = networks.settled(shared())
    path = networks.forms(model, tmp_path)[form]
    networks.assert_float(path, model)
    networks.assert_integers_near(path, model, 0.05)
    project = networks.generated(path, tmp_path / "project")
    first, second = (project.graph.by_name[f"{name}.basis"].op for name in ("conv", "conv_1"))
    assert isinstance(first, BasisConv) and isinstance(second, BasisConv)
    assert first.x.shape == (16, 16, 6) and second.x.shape == (8, 8, 6)
    assert len(first.basis) == len(second.basis) == 3
    assert penni_hls.simulate(project, "csim", networks.UNSEEN[:3], bounded=True).bit_exact
