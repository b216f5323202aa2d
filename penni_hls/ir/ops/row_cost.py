"""What hw/rtl/penni_columns.sv takes of a device: the row buffer, its writer, its walker, and the choice of rows."""

from __future__ import annotations

from dataclasses import dataclass

from ...target.memory import LUT, MemoryStyle, address_bits, chosen, ram_cost, rom_cost
from ...target.resources import Resources
from .row_walk import RowWalk


@dataclass(frozen=True)
class Fitted:
    """LUTs that are not counted. Found by `bench/costs.py --fit`."""

    bit: float = 1.8  # of a counter
    unit: float = 1.1  # where units are bases, not channels
    basis: float = 6.97  # basis, there


FITTED = Fitted()


def columns_cost(walk: RowWalk, kept: int, x_bits: int, memory: MemoryStyle, padded: bool, bases: int = 0) -> Resources:
    """kept: channels that are buffered. The row buffer has a word for each of their pixels, a value of each row in it.
    padded: not only with zeros. bases: where a unit is a basis of a channel."""
    (_, width, channels), kh, rows = walk.x, walk.window.kernel[0], walk.rows
    words, bank = width * kept, address_bits(rows)
    buffer = ram_cost(words, rows * x_bits, memory)
    if memory == LUT:  # each row has a memory of its own, read into flip-flops
        buffer = ram_cost(words, x_bits, LUT).times(rows) + Resources(ff=rows * x_bits)
    if padded:
        buffer += rom_cost(kept, x_bits, LUT) + Resources(ff=x_bits)
    if kept < channels:
        buffer += rom_cost(channels, 1, LUT) + Resources(ff=1)
    bits = _counters(walk, kept)
    lut = FITTED.bit * bits + kh * x_bits * (chosen(rows) + padded)
    ff = bits + kh * (bank + 1) + x_bits + rows + 22
    if bases:
        lut, ff = lut + FITTED.unit + FITTED.basis * bases, ff + 3 * bases + address_bits(kept) + 2
    return buffer + Resources(lut=lut, ff=ff)


def _counters(walk: RowWalk, kept: int) -> int:
    """Bits of what counts channels, columns, rows, addresses and banks, also those of the group to come."""
    (height, width, channels), (rows, columns) = walk.x, walk.out
    kw, (down, right), bank = walk.window.kernel[1], walk.window.stride, address_bits(walk.rows)
    x, y = ((columns - 1) * right + kw + right - 1).bit_length(), ((rows - 1) * down + down).bit_length()
    address, column = address_bits(width * kept), width.bit_length()
    writer = (channels - 1).bit_length() + 3 * column + address + 2 * walk.rows.bit_length()
    walker = (kept - 1).bit_length() + 3 * (x + y) + 2 * (address + bank) + 2 * (height + walk.rows + 1).bit_length()
    return writer + walker + (kw - 1).bit_length() + (walk.q - 1).bit_length()
