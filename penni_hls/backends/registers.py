"""The register map of the accelerator's AXI4-Lite port: the one place where it is written down.

From it come docs/registers.md, which is kept in the repository (`make registers` writes it anew, a test compares), and
the driver's constants and the C header of a generated project. hw/rtl/penni_registers.sv is written by hand; a test
reads and writes every register of this map in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .templates import render

MAGIC = 0x4E4E4550  # "PENN", lowest byte first
VERSION = (1, 0)  # of the map. The first grows where a register changes its meaning, the second where one is added
PREFIX = "s_axi_control"  # of the port's signals
ADDRESS_BITS = 12
COUNTER_BITS = 48  # of counters; they are read as 64 bits
DIGEST_BITS = 128
OPERATOR_BITS = 32  # of an operator's counters
OPERATORS, OPERATOR_BYTES = 0x400, 8  # address of the first operator's counters, and bytes from one to the next
MOST_OPERATORS = ((1 << ADDRESS_BITS) - OPERATORS) // OPERATOR_BYTES

Access = Literal["constant", "read", "write", "counter", "clear"]


@dataclass(frozen=True)
class Field:
    """Bits of a register. Of a register of one field, the field has the register's name."""

    name: str
    lsb: int
    bits: int
    text: str

    @property
    def mask(self) -> int:
        return ((1 << self.bits) - 1) << self.lsb

    @property
    def hex_mask(self) -> str:
        return f"{self.mask:08X}"

    @property
    def range(self) -> str:
        """As it is written in a table."""
        return str(self.lsb) if self.bits == 1 else f"{self.lsb + self.bits - 1}:{self.lsb}"


@dataclass(frozen=True)
class Register:
    """words: of 32 bits each, the lowest first.

    access: "constant", the same as long as the design is loaded; "read", a state; "write", read and written; "counter",
    64 bits: reading the lower word keeps the upper one for the read that follows; "clear", a 1 written clears a bit.
    """

    name: str
    offset: int
    access: Access
    text: str
    fields: tuple[Field, ...] = ()
    words: int = 1
    value: int | None = None  # of a constant that is the same in every design

    @property
    def hex_offset(self) -> str:
        return f"{self.offset:03X}"

    @property
    def hex_words(self) -> tuple[str, ...]:
        """The offset of each word."""
        return tuple(f"{self.offset + 4 * word:03X}" for word in range(self.words))

    @property
    def hex_value(self) -> str:
        return f"{self.value:08X}"


MAP = (
    Register("MAGIC", 0x000, "constant", f"0x{MAGIC:08X}, the letters PENN: this is an accelerator of penni-hls.", value=MAGIC),
    Register(
        "VERSION", 0x004, "constant", "Of this map.",
        (
            Field("MINOR", 0, 16, "Grows where a register is added."),
            Field("MAJOR", 16, 16, "Grows where a register changes its meaning."),
        ),
        value=VERSION[0] << 16 | VERSION[1],
    ),
    Register("CLOCK_HZ", 0x008, "constant", "The clock that the design was made for, in Hz. CYCLES tells the real one."),
    Register(
        "STREAMS", 0x00C, "constant", "The two AXI4-Streams, and what is counted.",
        (
            Field("INPUT_BITS", 0, 8, "Width of the pixels' stream: 8, 32 or 64."),
            Field("OUTPUT_BITS", 8, 8, "Width of the results' stream: 32."),
            Field("OPERATORS", 16, 16, "Operators with counters of their own; 0 without `generate --counters`."),
        ),
    ),
    Register(
        "DIGEST", 0x010, "constant",
        "Digest of the design, the `digest` of model.json: its first 8 hexadecimal digits are the first word.", words=4,
    ),
    Register("IMAGE_BYTES", 0x020, "constant", "Bytes of an image."),
    Register("RESULT_WORDS", 0x024, "constant", "Words of 32 bits of a result."),
    Register(
        "CONTROL", 0x030, "write", "0 after a reset.",
        (
            Field("RESET", 0, 1,
                  "While it is 1, the network and both streams are held in reset; bytes that come in are taken and dropped, "
                  "results are dropped. The first byte after it is 0 again begins an image. Counters stay."),
            Field("CLEAR", 1, 1, "Writing 1 sets all counters to 0. Reads 0."),
        ),
    ),
    Register(
        "STATUS", 0x034, "read", "What is so now.",
        (
            Field("BUSY", 0, 1, "An image, or a part of one, is in the accelerator."),
            Field("IN_PACKET", 1, 1, "A packet has begun to come in, and its TLAST has not."),
            Field("IN_IMAGE", 2, 1, "A part of an image is on its way into the network, and its last byte is not."),
            Field("INPUT_WAITS", 3, 1, "The sender offers bytes that are not taken."),
            Field("OUTPUT_WAITS", 4, 1, "A result is offered that the receiver does not take."),
            Field("IN_FLIGHT", 16, 16, "Images that are whole in the accelerator and whose results have not come out."),
        ),
    ),
    Register(
        "ERRORS", 0x038, "clear", "What has gone wrong since they were cleared.",
        (
            Field("SHORT_PACKET", 0, 1,
                  "A packet ended within an image. Zeros filled it up, and the next packet began an image."),
            Field("SPARSE_BEAT", 1, 1,
                  "TKEEP left out bytes elsewhere than at the end of a packet's last beat, or all of that beat."),
        ),
    ),
    Register("CYCLES", 0x040, "counter", "Clock cycles: two reads and a watch tell the clock.", words=2),
    Register("BUSY_CYCLES", 0x048, "counter", "Cycles with STATUS.BUSY.", words=2),
    Register("STARVED_CYCLES", 0x050, "counter", "Busy cycles in which the network would take pixels, and none are there.",
             words=2),
    Register("BLOCKED_CYCLES", 0x058, "counter", "Cycles in which a result is offered and not taken.", words=2),
    Register("IMAGES_IN", 0x060, "counter", "Images of which the last byte is on its way into the network.", words=2),
    Register("IMAGES_OUT", 0x068, "counter", "Images of which the last word has been taken.", words=2),
)  # fmt: skip


def _view() -> dict[str, object]:
    return {
        "registers": MAP,
        "version": VERSION,
        "prefix": PREFIX,
        "address_bits": ADDRESS_BITS,
        "counter_bits": COUNTER_BITS,
        "operators": f"{OPERATORS:03X}",
        "operator_bytes": OPERATOR_BYTES,
        "operator_bits": OPERATOR_BITS,
        "most_operators": MOST_OPERATORS,
    }


def markdown() -> str:
    """docs/registers.md."""
    return render("registers/registers.md.j2", **_view())


def python() -> str:
    """Constants for the driver: NAME is an offset in bytes, NAME_FIELD a mask."""
    return render("registers/registers.py.j2", **_view())


def c_header() -> str:
    """The same for C."""
    return render("registers/penni_registers.h.j2", **_view())


KEPT = {"docs/registers.md": markdown}  # files of the repository, by their path in it


if __name__ == "__main__":
    for path, text in KEPT.items():
        Path(path).write_text(text(), encoding="utf-8")
