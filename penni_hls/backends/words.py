"""Stream words as bytes, the form of the C++ test bench's files: 1, 2, 4, 8 or 16 bytes a word, then multiples of 8."""

from __future__ import annotations

import numpy as np

from ..ir.fixed import QType
from ..ir.ops.memory import Memory

MACHINE = (8, 16, 32, 64)


def word_bytes(bits: int) -> int:
    """Bytes that a word of `bits` bits takes."""
    for size in (1, 2, 4, 8, 16):
        if bits <= 8 * size:
            return size
    return -(-bits // 64) * 8


def memory_bytes(memory: Memory) -> bytes:
    """The words of a memory image, each in the bytes that a word of its width takes."""
    size = word_bytes(memory.width)
    return b"".join(word.to_bytes(size, "little") for word in memory.words)


def pack(values: np.ndarray, qtype: QType) -> bytes:
    """values (words, values a word) -> their bytes, the first value in the lowest bits."""
    words, per_word = values.shape
    size = word_bytes(per_word * qtype.bits)
    if per_word == 1:
        mask = np.int64(-1 if qtype.bits == 64 else (1 << qtype.bits) - 1)
        return (values.astype(np.int64) & mask).astype(f"<u{size}").tobytes()
    fields = bit_fields(values, qtype.bits)
    out = np.zeros((words, size), np.uint8)
    out[:, : fields.shape[1]] = fields
    return out.tobytes()


def bit_fields(values: np.ndarray, bits: int) -> np.ndarray:
    """values (words, n) -> uint8 (words, bytes): n fields of `bits` bits side by side, the first lowest, bytes lowest first."""
    words, n = values.shape
    if bits in MACHINE:
        machine = np.ascontiguousarray(values.astype(f"<i{bits // 8}"))
        return machine.view(np.uint8).reshape(words, n * bits // 8)
    raw = np.ascontiguousarray(values.astype("<i8")).view(np.uint8).reshape(words, n, 8)
    single = np.unpackbits(raw, axis=2, count=bits, bitorder="little")
    return np.packbits(single.reshape(words, n * bits), axis=1, bitorder="little")


def unpack(data: bytes, per_word: int, qtype: QType) -> np.ndarray:
    """The inverse of `pack`: values (words, per_word) in the dtype of `qtype`."""
    size = word_bytes(per_word * qtype.bits)
    raw = np.frombuffer(data, np.uint8).reshape(-1, size)
    if qtype.bits in MACHINE:
        fields = np.ascontiguousarray(raw[:, : per_word * qtype.bits // 8])
        return fields.view(f"<{'i' if qtype.signed else 'u'}{qtype.bits // 8}").astype(qtype.dtype)
    if per_word == 1:
        return _signed(raw.view(f"<u{size}").astype(np.int64), qtype)
    bits = np.unpackbits(raw, axis=1, count=per_word * qtype.bits, bitorder="little")
    wide = np.zeros((len(raw), per_word, 64), np.uint8)
    wide[:, :, : qtype.bits] = bits.reshape(len(raw), per_word, qtype.bits)
    return _signed(np.packbits(wide, axis=2, bitorder="little").view("<i8")[:, :, 0], qtype)


def _signed(bits: np.ndarray, qtype: QType) -> np.ndarray:
    """Numbers of `qtype` from their bits in int64."""
    if qtype.signed:
        bits = bits - ((bits >> (qtype.bits - 1) & 1) << qtype.bits)
    return bits.astype(qtype.dtype)
