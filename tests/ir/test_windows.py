"""Windows: how many there are and what they hold, against plain loops; and the same windows in a larger kernel."""

from __future__ import annotations

import numpy as np
import pytest

from penni_hls.ir.windows import Window, short

from .ops import dense


def random_window(rng: np.random.Generator, shape: tuple[int, int]) -> Window:
    """One that fits the map; strides and paddings may be larger than the kernel."""
    while True:
        kernel, stride, pads = (
            tuple(rng.integers(lo, hi, n).tolist()) for lo, hi, n in ((1, 6, 2), (1, 7, 2), (0, 7, 4))
        )
        if (window := Window(kernel, stride, pads)).fits(shape):
            return window


@pytest.mark.parametrize("seed", range(60))
def test_sums_over_windows_are_those_of_plain_loops_also_when_widened(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 10, 2).tolist())
    window = random_window(rng, shape)
    x, kernel = rng.integers(-9, 10, (2, *shape, 2)), rng.integers(-9, 10, window.kernel)
    outside = rng.integers(-9, 10, 2)
    wanted = dense.basis_conv(x, kernel[None], (0,), window.stride, window.pads, outside, 32, True)[..., 0]
    assert wanted.shape[1:3] == window.map_of(shape)
    for least in ((1, 1), (1, 2), (4, 3)):
        wide = window.widened(least)
        assert wide.window.walkable and wide.window.fits(shape) and wide.window.map_of(shape) == window.map_of(shape)
        assert all(have >= want for have, want in zip(wide.window.kernel, least))
        for one, taps in ((window, kernel), (wide.window, wide.embed(kernel))):
            found = sum(tap * weight for tap, weight in zip(one.seen(x, outside), taps.ravel(), strict=True))
            assert np.array_equal(found, wanted)


def test_what_can_be_walked_is_not_widened() -> None:
    window = Window.of((3, 5), (2, 5), (2, 0, 1, 4))
    assert window.walkable and window.widened().window == window


@pytest.mark.parametrize(
    ("kernel", "stride", "pads"),
    [((2, 3), (3, 1), 0), ((2, 3), (1, 4), 0), ((2, 3), 1, (2, 0, 0, 0)), ((2, 3), 1, (0, 0, 0, 3)), ((2, 3), 0, 0)],
)
def test_what_cannot_be_walked(kernel, stride, pads) -> None:
    assert not Window.of(kernel, stride, pads).walkable


def test_short_forms() -> None:
    assert (short((3, 3)), short((3, 5)), short((1, 1, 1, 1)), short((1, 0, 1, 1))) == (3, (3, 5), 1, (1, 0, 1, 1))
    assert Window.of(3, (1, 2), 1) == Window((3, 3), (1, 2), (1, 1, 1, 1))
