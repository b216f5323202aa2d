"""What the driver asks of PYNQ: of a stand-in here, and of PYNQ's own package where an interpreter has it.

PENNI_PYNQ names Python interpreters, separated by ":", that have a `pynq` package; `make pynq` installs those versions that
the driver supports and runs this. pynq_device.py is what runs there.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from .test_driver import Rig, vector_network

PYTHONS = [path for path in os.environ.get("PENNI_PYNQ", "").split(os.pathsep) if path]
if importlib.util.find_spec("pynq") is not None:
    PYTHONS.append(sys.executable)
DEVICE = Path(__file__).with_name("pynq_device.py")


@pytest.fixture(scope="module")
def rig(tmp_path_factory) -> Rig:
    return Rig(vector_network, tmp_path_factory.mktemp("pynq"))


class Overlay:
    """Records what the driver does with PYNQ's."""

    def __init__(self, calls: list, blocks: tuple[str, ...], bitfile: str, download: bool = True) -> None:
        self.calls = calls
        self.ip_dict = {
            name: {"phys_addr": 0x4000_0000 + (index << 16), "addr_range": 0x10000} for index, name in enumerate(blocks)
        }
        self.clock_dict = {0: {"enable": 1, "frequency": None}}
        calls.append(("overlay", bitfile, download))

    def download(self) -> None:
        self.calls.append(("download", dict(self.clock_dict)))


def stand_in(calls: list, blocks: tuple[str, ...], board) -> types.ModuleType:
    class ClocksType(type):
        @property
        def fclk0_mhz(cls) -> float:
            return board.mhz

        @fclk0_mhz.setter
        def fclk0_mhz(cls, mhz: float) -> None:
            calls.append(("clock", mhz))
            board.set_clock(mhz)

    module = types.ModuleType("pynq")
    module.Overlay = lambda bitfile, download=True: Overlay(calls, blocks, bitfile, download)
    module.Clocks = ClocksType("Clocks", (), {})
    module.MMIO = lambda address, length: (board.dma, board.penni)[(address >> 16) & 1]
    module.allocate = board.allocate
    return module


def test_the_overlay_is_loaded_and_then_the_clock_set(rig: Rig, monkeypatch) -> None:
    calls, board = [], rig.board()
    monkeypatch.setitem(sys.modules, "pynq", stand_in(calls, ("dma", "penni", "ps"), board))
    images = rig.images(5)
    pynq_board = rig.penni.PynqBoard
    monkeypatch.setattr(pynq_board, "now", lambda self: board.now())  # the registers are the fake's, in its own time
    monkeypatch.setattr(pynq_board, "sleep", lambda self, seconds: board.sleep(seconds))
    with rig.penni.Accelerator("here/penni.bit") as accelerator:
        np.testing.assert_array_equal(accelerator.logits(images, 2), rig.expected(images))
        assert accelerator.clock_mhz == 125.0
    assert calls == [("overlay", "here/penni.bit", False), ("download", {}), ("clock", 125.0)]


def test_a_bitstream_without_the_blocks_is_refused(rig: Rig, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pynq", stand_in([], ("dma", "other"), rig.board()))
    with pytest.raises(rig.penni.BoardError, match=r"x\.bit: no block 'penni' in its \.hwh file, but dma, other; take"):
        rig.penni.Accelerator("x.bit")


def test_without_pynq_it_is_said_where_to_run_it(rig: Rig, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pynq", None)
    with pytest.raises(
        SystemExit, match=r"^penni\.py: PYNQ cannot be used here \(.*\); run this on the board, with its Python$"
    ):
        rig.penni.main(["--validate"])


@pytest.mark.skipif(not PYTHONS, reason="no interpreter with pynq; 'make pynq' installs some")
@pytest.mark.parametrize("python", PYTHONS or ["none"])
def test_on_the_package_of_pynq(rig: Rig, python: str) -> None:
    done = subprocess.run([python, DEVICE, rig.folder / "driver"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["clock_mhz"] == 125.0 and told["stream"] == 8
    assert told["validate"] == "8 images, 56 results: all as expected"
    assert "no block 'dma' in its .hwh file, but axi_dma_0" in told["refused"]
