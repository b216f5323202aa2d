"""The same network gives the same integers on every machine: no sum depends on the order in which a BLAS takes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penni_hls.checkpoint import read
from penni_hls.ir.interpreter import interpret
from penni_hls.passes.fused import Fused
from penni_hls.quantize import FLOAT_PASSES
from penni_hls.quantize.calibrate import calibration, observe
from penni_hls.quantize.coefficients import moments
from penni_hls.quantize.exact import VALUE_BITS, on_grid, product, spare_bits

ROOT = Path(__file__).resolve().parents[2]
# OPENBLAS_CORETYPE: kernels for other processors, which this one can run as well.
KERNELS = ("Prescott", "Nehalem", "Sandybridge", "Haswell")


@given(st.integers(0, 2**32), st.integers(2, 30), st.floats(1e-6, 1e6))
def test_a_grid_is_near(seed: int, bits: int, size: float) -> None:
    values = np.random.default_rng(seed).standard_normal((7, 5)) * size
    rounded = on_grid(values, bits)
    assert np.abs(rounded - values).max() <= np.abs(values).max() * 2.0**-bits
    unit = 2.0 ** (np.frexp(np.abs(values).max())[1] - bits)
    np.testing.assert_array_equal(rounded / unit, np.rint(rounded / unit))


def test_zeros_stay_zeros() -> None:
    assert not on_grid(np.zeros((2, 3)), 8).any() and on_grid(np.zeros((0, 3)), 8).shape == (0, 3)


@pytest.mark.parametrize("terms", [1, 9, 27, 1000, 4608, 25088])
def test_products_do_not_depend_on_the_order_of_their_sums(terms: int) -> None:
    rng = np.random.default_rng(terms)
    x = on_grid(rng.standard_normal((40, terms)).astype(np.float32), VALUE_BITS)
    weight = rng.standard_normal((terms, 6)) * rng.uniform(1e-3, 1e3, 6)
    found = product(x, weight)
    for _ in range(3):
        order = rng.permutation(terms)
        np.testing.assert_array_equal(product(x[:, order], weight[order]), found)
        assert (np.cumsum(x[:, order, None] * _grid(weight)[order], axis=1)[:, -1] == found).all()
    np.testing.assert_allclose(found, x.astype(np.float64) @ weight, atol=1e-4 * np.abs(found).max(0).min())


def _grid(weight: np.ndarray) -> np.ndarray:
    return on_grid(weight, spare_bits(len(weight), VALUE_BITS), axis=0)


@pytest.mark.parametrize("largest", [127, 255, 1 << 14, 1 << 22])
def test_moments_do_not_depend_on_the_order_of_the_samples(largest: int) -> None:
    rng = np.random.default_rng(largest)
    z, target = rng.integers(-largest, largest + 1, (3000, 20)), rng.standard_normal((3000, 4))
    start, order = rng.standard_normal((4, 20)), rng.permutation(3000)
    first, second = moments(start, z, target), moments(start, z[order], target[order])
    for name in ("mean", "target_mean", "hessian", "cross"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    centred = z - z.mean(0)
    plain = centred.T @ centred / len(z)
    damping = np.diagonal(plain).mean() * (0.01 + 0.1 * 20 / 3000) + 1e-12
    np.testing.assert_allclose(first.hessian, plain + damping * np.eye(20), atol=1e-6 * plain.max())


def test_the_calibration_batch_sees_what_the_float_network_computes(small_checkpoint: Path) -> None:
    graph = read(small_checkpoint)
    for run_pass in FLOAT_PASSES:
        graph = run_pass(graph)
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    seen = {step.node.name: step.value for step in observe(graph, calibration(graph, images))}
    plain = {step.node.name: step.value for step in interpret(graph, images)}
    assert any(isinstance(node.op, Fused) for node in graph)
    for name, value in plain.items():
        np.testing.assert_allclose(seen[name], value, atol=1e-4 * np.abs(value).max())


@pytest.mark.slow
@pytest.mark.parametrize("bits", ["8/8", "4/4", "auto"])
def test_every_blas_kernel_gives_the_same_files(bits: str, tmp_path: Path) -> None:
    projects = {}
    for kernel in KERNELS:
        folder = tmp_path / kernel
        command = [sys.executable, "-m", "penni_hls", "generate", ROOT / "examples" / "resnet8.pt", "-o", folder]
        options = ["--bits", bits, "--allow-oversize"]
        env = os.environ | {"OPENBLAS_CORETYPE": kernel, "ATEN_CPU_CAPABILITY": "default", "PYTHONPATH": str(ROOT)}
        subprocess.run(list(map(str, [*command, *options])), check=True, env=env, capture_output=True)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        projects[kernel] = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    first = projects.pop(KERNELS[0])
    assert len(first) > 50
    for kernel, files in projects.items():
        assert files.keys() == first.keys()
        assert not [name for name in first if first[name] != files[name]], kernel
