"""DEPENDENCE pragmas say how many steps lie between a write to a memory and the read of what it wrote: the code is run with
memories that count. What is read and not used, as a bank outside the window, does not count."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from penni_hls.backends.hls.gxx import csim_operators
from penni_hls.errors import ToolError
from penni_hls.files import HW
from tests.backends.hls.test_operators import ALL, alone

TRACKED = """
#ifndef PENNI_COUNTED
#define PENNI_COUNTED
#include <stdlib.h>
namespace penni_distance {
static long step = 0, least = 0;
template <typename T>
struct tracked {
    T value;
    long written = -(1L << 40);
    tracked& operator=(const T& given) {
        value = given;
        written = step;
        return *this;
    }
    operator const T&() const {
        if (step - written < least) abort();
        return value;
    }
};
}  // namespace penni_distance
#endif
"""
PRAGMA = re.compile(r"PENNI_DISTANCE\((\w+), (\d+)\)")
PASSED_ON = ("column",)  # arrays that hold what was read until it is used
# Where a memory has one place only, it is a register, and the pragma says nothing.
CASES = (
    "basis_8x8_q4", "basis_d1_q1", "basis_pixel_1x1", "basis_1x1_kernel", "basis_stride2_odd", "basis_group_is_frame",
    "basis_3x1_one_channel", "basis_identity_1x2", "basis_half_unread_q1", "basis_bottom_right_stride2",
    "basis_shared_3", "basis_shared_9", "basis_shared_1x5_1", "basis_shared_one_word", "depthwise_8x8",
    "depthwise_one_channel", "depthwise_1x1_kernel", "depthwise_1x1_pixel", "depthwise_stride2_even", "pool_4x4",
    "pool_two_channels", "up_2", "up_3_signed", "up_pixel", "mac_map_1x1", "mac_z1_map",
)  # fmt: skip


def counting(folder: Path, more: int = 0) -> tuple[Path, set[str]]:
    """The headers with memories that count, in a folder, and which memories those are. more: steps asked for in vain."""
    folder.mkdir()
    (folder / "hls").mkdir()
    found = set()
    for header in HW.rglob("hls/penni_*.hpp"):
        text = header.read_text()
        pragmas = [] if header.name == "penni_pragmas.hpp" else PRAGMA.findall(text)
        for memory, steps in pragmas:
            for name in (memory, *PASSED_ON):
                text = re.sub(
                    rf"((?:typename )?[A-Za-z_][\w:]*(?:<[^<>;]*>)?) {name}\[",
                    rf"penni_distance::tracked<\1> {name}[",
                    text,
                )
            counted = f"++penni_distance::step; penni_distance::least = {int(steps) + more};"
            text = text.replace(f"PENNI_DISTANCE({memory}, {steps})", counted)
            found.add(f"{header.name} {memory}")
        if header.name == "penni_types.hpp":
            text += TRACKED
        if header.parent.name == "hls":
            (folder / "hls" / header.name).write_text(text)
    return folder, found


@pytest.mark.slow
def test_what_is_read_was_written_as_many_steps_before(tmp_path):
    project, memories = counting(tmp_path / "counting")
    assert {name.split()[0] for name in memories} == {
        "penni_basis_conv.hpp", "penni_basis_shared.hpp", "penni_depthwise_conv.hpp", "penni_global_pool.hpp",
        "penni_sparse_load.hpp", "penni_upsample.hpp",
    }  # fmt: skip
    got = csim_operators({name: alone(ALL[name]) for name in CASES}, tmp_path / "work", project=project)
    for name in CASES:
        np.testing.assert_array_equal(got[name][0], ALL[name].expected().values, err_msg=name)


@pytest.mark.slow
def test_a_distance_that_is_not_kept_shows(tmp_path):
    project, _ = counting(tmp_path / "counting", more=1000)
    with pytest.raises(ToolError, match="ended with status"):
        csim_operators({"basis_d1_q1": alone(ALL["basis_d1_q1"])}, tmp_path / "work", project=project)
