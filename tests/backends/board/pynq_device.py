"""The driver on PYNQ's own package, without a board: `python pynq_device.py DRIVER`, DRIVER the folder of a project.

Only the device is ours, at the level where PYNQ reads and writes registers and memory: the DMA engine's registers
(sim/axi_dma.py), the accelerator's, and the processor's clock registers. All above is PYNQ: Overlay and its parser of a
.hwh file (the one that PYNQ's package brings for its own tests, its blocks renamed), MMIO, Clocks, allocate, PynqBuffer.
The accelerator knows the images of validate.npz and gives their results. Prints a line of JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

DRIVER = Path(sys.argv[1]).resolve()
sys.path[:0] = [str(DRIVER), str(Path(__file__).resolve().parents[3] / "sim")]

import axi_dma  # noqa: E402
import penni_registers as registers  # noqa: E402
import pynq.ps  # noqa: E402
import pynqmetadata  # noqa: E402
from pynq.buffer import PynqBuffer  # noqa: E402
from pynq.pl_server.device import Device  # noqa: E402
from pynq.ps import ZYNQ_ARCH  # noqa: E402
from pynqmetadata.frontends import Metadata  # noqa: E402
from pynqmetadata.views.runtime import RuntimeMetadataParser  # noqa: E402

SLCR, IO_PLL_CTRL, FPGA0_CLK_CTRL = 0xF8000000, 0x108, 0x170
DMA, PENNI = 0x40400000, 0x43C00000  # as the .hwh file has them
CRYSTAL_MHZ = 50
pynq.ps.CPU_ARCH = ZYNQ_ARCH  # PYNQ 3.0 asks the machine, later versions the device


class BoardDevice(Device):
    """A Zynq-7000 with a design in it."""

    _probe_priority_ = 1

    @classmethod
    def _probe_(cls) -> list[BoardDevice]:
        return [cls()]

    def __init__(self) -> None:
        super().__init__("board")
        self.arch, self.capabilities, self.name = ZYNQ_ARCH, {"REGISTER_RW": True}, "board"
        self.slcr = {IO_PLL_CTRL: 20 << 12, FPGA0_CLK_CTRL: 10 << 8 | 2 << 20}  # 1000 MHz / (10 * 2)
        self.dma = axi_dma.AxiDma(self._begin, lambda: None)
        self.memory: dict[int, bytearray] = {}
        self.next_address, self.results, self.control = 0x1000_0000, b"", 0
        self.cycles = 0
        model = json.loads((DRIVER / "penni.json").read_text())
        self.digest = model["digest"]
        with np.load(DRIVER / "validate.npz") as archive:
            pairs = zip(archive["images"], archive["expected"])
            self.known = {image.tobytes(): result.astype("<i4").tobytes() for image, result in pairs}

    # ---- what PYNQ asks of a device

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> RuntimeMetadataParser:
        parser = RuntimeMetadataParser(Metadata(input=Path(bitfile_name).with_suffix(".hwh")))
        parser.refresh_hierarchy_dict()
        return parser

    def download(self, bitstream, parser=None) -> None:
        self.post_download(bitstream, parser)

    def read_registers(self, address: int, length: int) -> bytes:
        assert length == 4
        return self._read(address).to_bytes(4, "little")

    def write_registers(self, address: int, data: bytes) -> None:
        self._write(address, int.from_bytes(bytes(data)[:4], "little"))

    def allocate(self, shape, dtype, **_) -> PynqBuffer:
        buffer = PynqBuffer(shape, dtype, device=self, device_address=self.next_address, bo=len(self.memory))
        self.memory[self.next_address] = bytearray(buffer.nbytes)
        self.next_address += -(-buffer.nbytes // 4096) * 4096
        return buffer

    def flush(self, bo: int, offset: int, pointer: int, size: int) -> None:
        self._block(bo)[offset : offset + size] = _bytes_at(pointer, size)

    def invalidate(self, bo: int, offset: int, pointer: int, size: int) -> None:
        _bytes_at(pointer, size)[:] = self._block(bo)[offset : offset + size]

    # ---- the hardware

    def _block(self, bo: int) -> memoryview:
        return memoryview(list(self.memory.values())[bo])

    def _read(self, address: int) -> int:
        if address >= SLCR:
            return self.slcr.get(address - SLCR, 0)
        if address < PENNI:
            return self.dma.read(address - DMA)
        offset = address - PENNI
        if registers.DIGEST <= offset < registers.DIGEST + 16:
            place = 2 * (offset - registers.DIGEST)
            return int(self.digest[place : place + 8], 16)
        if offset == registers.CYCLES:
            self._count()
            return self.cycles & 0xFFFFFFFF
        values = {
            registers.MAGIC: registers.MAGIC_VALUE, registers.VERSION: registers.MAP_VERSION[0] << 16,
            registers.CLOCK_HZ: 125_000_000, registers.CONTROL: self.control,
        }  # fmt: skip
        return values.get(offset, 0)

    def _count(self) -> None:
        import time

        divisors = self.slcr[FPGA0_CLK_CTRL]
        mhz = CRYSTAL_MHZ * 20 / ((divisors >> 8 & 63) * (divisors >> 20 & 63))
        self.cycles = int(time.monotonic() * mhz * 1e6)

    def _write(self, address: int, value: int) -> None:
        if address >= SLCR:
            self.slcr[address - SLCR] = value
        elif address < PENNI:
            self.dma.write(address - DMA, value)
        elif address - PENNI == registers.CONTROL:
            self.control, self.results = value, b""

    def _begin(self, name: str, address: int, nbytes: int) -> None:
        if name == axi_dma.SEND:
            data = bytes(self.memory[address][:nbytes])
            size = len(next(iter(self.known)))
            self.results = b"".join(self.known[data[i : i + size]] for i in range(0, nbytes, size))
            self.dma.finish(name, nbytes)
        else:
            assert len(self.results) == nbytes
            self.memory[address][:nbytes] = self.results
            self.dma.finish(name, nbytes)


def _bytes_at(pointer: int, size: int) -> memoryview:
    import ctypes

    return memoryview((ctypes.c_uint8 * size).from_address(pointer)).cast("B")


def main() -> None:
    import pynq
    from penni import Accelerator
    from penni_board import BoardError

    text = (Path(pynqmetadata.__file__).parent / "tests" / "hwhs" / "resizer.hwh").read_text()
    with tempfile.TemporaryDirectory() as folder, np.load(DRIVER / "validate.npz") as archive:
        bitfile = Path(folder) / "penni.bit"
        bitfile.write_bytes(b"")
        other = bitfile.with_name("other.bit")
        other.write_bytes(b"")
        other.with_suffix(".hwh").write_text(text)
        bitfile.with_suffix(".hwh").write_text(text.replace("axi_dma_0", "dma").replace("resize_accel_0", "penni"))
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            with Accelerator(bitfile) as accelerator:
                told = {
                    "pynq": pynq.__version__,
                    "clock_mhz": accelerator.clock_mhz,
                    "validate": accelerator.validate(),
                }
                images, expected = archive["images"], archive["expected"]
                np.testing.assert_array_equal(accelerator.logits(images, batch=3), expected)
                told["stream"] = len(list(accelerator.stream(iter(images))))
        try:
            Accelerator(other)
        except BoardError as error:
            told["refused"] = str(error)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
