"""The C driver, compiled by gcc as C99 without a warning, on the same board in Python as the Python driver."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from .fake import FakeBoard, Faults
from .test_driver import Rig, vector_network

STAND_INS = Path(__file__).parent / "c"
PENNI, DMA = 0x40000000, 0x40400000
OK, NO_ACCELERATOR, WRONG_DESIGN, WRONG_SIZE, TIMEOUT, DMA_ERROR, SHORT_RESULT, DMA_STUCK = range(8)
FLAGS = (
    "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wundef", "-Werror", "-fPIC", "-shared",
    "-Wno-unused-const-variable",
)  # fmt: skip
READ = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint64)
WRITE = ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.c_uint32)
RANGE = ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.c_uint64)


@pytest.fixture(scope="module")
def rig(tmp_path_factory) -> Rig:
    return Rig(vector_network, tmp_path_factory.mktemp("c"))


@pytest.fixture(scope="module")
def library(rig: Rig) -> ctypes.CDLL:
    made, folder = rig.folder / "driver.so", rig.folder / "driver" / "c"
    sources = (STAND_INS / "hooks.c", STAND_INS / "driver.c", folder / "main.c")
    command = [
        "gcc", *FLAGS, "-Dmain=example", "-include", STAND_INS / "hooks.h", "-I", STAND_INS, "-I", folder, *sources,
        "-o", made,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    library = ctypes.CDLL(str(made))
    library.c_text.restype = ctypes.c_char_p
    library.c_open.argtypes = [ctypes.c_uint64] * 3
    library.c_images_out.restype = ctypes.c_uint64
    return library


class Machine:
    """A board behind the library's hooks. Its memory is what was flushed, and what the engine wrote."""

    def __init__(self, library: ctypes.CDLL, board: FakeBoard) -> None:
        self.library, self.board = library, board
        self.hooks = READ(self.read), WRITE(self.write), RANGE(self.flush), RANGE(self.invalidate)
        library.set_hooks(*self.hooks)

    def _place(self, address: int):
        return (self.board.dma, address - DMA) if address >= DMA else (self.board.penni, address - PENNI)

    def read(self, address: int) -> int:
        block, offset = self._place(address)
        return block.read(offset)

    def write(self, address: int, value: int) -> None:
        block, offset = self._place(address)
        block.write(offset, value)

    def flush(self, address: int, count: int) -> None:
        self.board.memory[address] = bytearray(ctypes.string_at(address, count))

    def invalidate(self, address: int, count: int) -> None:
        ctypes.memmove(address, bytes(self.board.memory[address]), count)

    def run(self, images: np.ndarray) -> tuple[int, np.ndarray]:
        pixels, results = np.ascontiguousarray(images), np.full((len(images), 7), -1, np.int32)
        status = self.library.c_run(
            pixels.ctypes.data_as(ctypes.c_void_p), results.ctypes.data_as(ctypes.c_void_p), len(images)
        )
        self.board.memory.clear()
        return status, results


def test_results(rig: Rig, library: ctypes.CDLL) -> None:
    machine = Machine(library, rig.board())
    assert library.c_open(DMA, PENNI, 0) == OK
    for count in (1, 6):
        images = rig.images(count)
        status, results = machine.run(images)
        assert status == OK
        np.testing.assert_array_equal(results, rig.expected(images))
    assert [name for name, _ in machine.board.transfers] == ["receive", "send"] * 2
    assert library.c_images_out() == 7
    assert machine.run(rig.images(0))[0] == WRONG_SIZE
    huge = library.c_run(None, None, (1 << 26) // (8 * 8 * 3) + 1)
    assert huge == WRONG_SIZE


def test_another_bitstream_is_refused(rig: Rig, library: ctypes.CDLL) -> None:
    cases = {NO_ACCELERATOR: rig.board(magic=0), WRONG_DESIGN: rig.board(version=2 << 16)}
    for status, board in cases.items():
        machine = Machine(library, board)
        assert library.c_open(DMA, PENNI, 0) == status and not machine.board.transfers
    other = rig.board()
    other.digest = f"{int(other.digest, 16) ^ 1 << 127:032x}"
    machine = Machine(library, other)
    assert library.c_open(DMA, PENNI, 0) == WRONG_DESIGN


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"stop_send": 2}, TIMEOUT), ({"stop_receive": 3}, TIMEOUT), ({"clock": False}, TIMEOUT),
        ({"send_error": 0x20}, DMA_ERROR), ({"receive_error": 0x40}, DMA_ERROR), ({"packet": 2}, SHORT_RESULT),
    ],
)  # fmt: skip
def test_after_an_error_the_next_call_works(rig: Rig, library: ctypes.CDLL, fault: dict, status: int) -> None:
    machine, images = Machine(library, rig.board()), rig.images(4)
    assert library.c_open(DMA, PENNI, 100_000) == OK
    machine.board.faults = Faults(**fault)
    assert machine.run(images)[0] == status
    assert b" " in library.c_text(status)
    machine.board.faults = Faults()
    status, results = machine.run(images)
    assert status == OK
    np.testing.assert_array_equal(results, rig.expected(images))


def test_an_engine_that_stays_in_reset_is_told(rig: Rig, library: ctypes.CDLL) -> None:
    machine = Machine(library, rig.board())
    assert library.c_open(DMA, PENNI, 10_000) == OK
    machine.board.faults = Faults(stop_receive=0, stuck=True)
    assert machine.run(rig.images(2))[0] == DMA_STUCK


def test_the_example(rig: Rig, library: ctypes.CDLL, capfd) -> None:
    machine = Machine(library, rig.board())
    assert library.example() == 0
    ctypes.CDLL(None).fflush(None)
    told = capfd.readouterr().out.splitlines()
    assert told[0] == "16 images, 0 wrong results"
    assert told[1].endswith(f" cycles per image, {rig.design.schedule.cycles_per_image} predicted")
    machine.board.digest = "0" * 32
    assert library.example() == 1
