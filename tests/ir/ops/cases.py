"""The operator test cases that the reference, the C++ and the RTL tests share.

`CASES[kind]` are Case(id, op, folding, inputs): an operator with random integers in it, a folding, and its input tensors,
`FRAMES` frames each. Everything is seeded by the case's id, so every run and every engine sees the same numbers.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np

from penni_hls.ir.fixed import IntTensor, QType, Requant, SignedRequant
from penni_hls.ir.graph import TensorSpec
from penni_hls.ir.ops import (
    Affine,
    AvgPool,
    BasisConv,
    Clip,
    Concat,
    Deal,
    DepthwiseConv,
    Fork,
    GlobalPool,
    MaxPool,
    Merge,
    Narrow,
    SparseMac,
    Subsample,
    Upsample,
)
from penni_hls.ir.ops.base import Folding, Operator
from penni_hls.ir.windows import Pair, Sides

FRAMES = 4
U8, S8, S4 = QType(8, False), QType(8, True), QType(4, True)


@dataclass(frozen=True, eq=False)
class Case:
    """One operator at one folding with its input tensors, values (FRAMES, *spec.shape)."""

    id: str
    op: Operator
    folding: Folding
    inputs: tuple[IntTensor, ...]

    def expected(self) -> IntTensor:
        return self.op.reference(*self.inputs)


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def _values(rng: np.random.Generator, spec: TensorSpec, extreme: bool) -> IntTensor:
    """Random values of `spec`; `extreme`: only the smallest and the largest the type has."""
    q = spec.qtype
    shape = (FRAMES, *spec.shape)
    values = rng.choice([q.lo, q.hi], shape) if extreme else rng.integers(q.lo, q.hi + 1, shape)
    return IntTensor(values.astype(q.dtype), q)


def _inputs(rng: np.random.Generator, op: Operator, extreme: bool = False) -> tuple[IntTensor, ...]:
    return tuple(_values(rng, spec, extreme) for spec in op.in_specs)


def basis_conv(
    name: str,
    shape: tuple[int, int, int],
    q: int,
    d: int = 3,
    k: Pair = 3,
    stride: Pair = 1,
    pad: Sides = 1,
    x: QType = U8,
    z: QType = S8,
    pad_value: int | None = 0,
    shifts: tuple[int, ...] | None = None,
    zero_basis: bool = False,
    identity: bool = False,
    extreme: bool = False,
    unread: float = 0.0,
    silent: tuple[int, ...] = (),
    dropped: tuple[int, ...] = (),
    m: int = 0,
    rows: str | None = None,
) -> Case:
    """A random basis convolution; `pad_value` None means a different random pad for each channel. unread: how many of the
    (channel, basis) are not computed; silent: channels, dropped: bases of which none is. m: multipliers. rows: where the
    row buffer lies; None: where it costs least."""
    rng = _rng(name)
    kh, kw = (k, k) if isinstance(k, int) else k
    basis = rng.integers(-128, 128, (d, kh, kw)).astype(np.int64)
    if identity:
        basis = np.eye(kh * kw, dtype=np.int64).reshape(kh * kw, kh, kw)
    if zero_basis:
        basis[d // 2] = 0
    if extreme:
        basis = rng.choice([-128, 127], basis.shape).astype(np.int64)
    if shifts is None:
        shifts = tuple(0 if identity else int(n) for n in rng.integers(6, 11, len(basis)))
    channels = shape[2]
    pads = np.full(channels, pad_value, np.int64) if pad_value is not None else rng.integers(x.lo, x.hi + 1, channels)
    used = rng.random((channels, len(basis))) >= unread
    used[list(silent)] = used[:, list(dropped)] = False
    op = BasisConv(
        TensorSpec(shape, x), basis, shifts, z, stride, pad, pads.astype(np.int64), None if used.all() else used
    )
    usual = op.folding(q)
    folding = replace(usual, multipliers=m, rows=rows or usual.rows)
    return Case(name, op, folding, _inputs(rng, op, extreme))


def sparse_mac(
    name: str,
    z_shape: tuple[int, ...],
    co: int,
    q: int,
    p: int = 1,
    density: float = 0.25,
    z: QType = S8,
    coef: QType = S8,
    y: QType = U8,
    skip: QType | None = None,
    flatten: bool = False,
    empty_rows: tuple[int, ...] = (),
    full_rows: tuple[int, ...] = (),
    extreme: bool = False,
    shift: int | None = None,
    z_memory: str | None = None,
    m_bits: int = 16,
    **choices: int | str,
) -> Case:
    """A random sparse product; multipliers of m_bits.

    `shift` None puts most results into the output's range and lets a tail saturate.
    choices: fields of the folding that are not as they cost least."""
    rng = _rng(name)
    z_spec = TensorSpec(z_shape, z)
    pixels = 1 if flatten else z_spec.pixels
    depth = int(np.prod(z_shape)) // pixels
    coefs = rng.integers(coef.lo, coef.hi + 1, (co, depth)).astype(np.int64)
    coefs[rng.random(coefs.shape) >= density] = 0
    for row in full_rows:
        coefs[row] = rng.choice([coef.lo, coef.hi], depth)
    for row in empty_rows:
        coefs[row] = 0
    if extreme:
        coefs = np.where(rng.random((co, 1)) < 0.5, coef.lo, coef.hi) * np.ones((co, depth), np.int64)
    spread = max(1.0, float(np.sqrt((coefs**2).sum(1).mean()))) * max(-z.lo, z.hi) / 2
    multiplier = rng.integers(1 << m_bits - 4, 1 << m_bits, co).astype(np.int64)
    if shift is None:
        shift = max(1, int(np.ceil(np.log2(spread * 40000 / (y.hi + 1)))))
    limit = min(1 << 31, max(2, (y.hi + 1) << shift)) // 2
    bias = rng.integers(-limit, limit, co).astype(np.int64)
    skip_k = 0 if skip is None else int(min(65535, max(1, (1 << shift) * (y.hi + 1) // (2 * skip.hi + 2))))
    shape = (1, 1, co) if flatten else (*z_shape[:2], co)
    op = SparseMac(
        z_spec, coefs, coef, Requant(multiplier, bias, shift, y, skip_k), skip and TensorSpec(shape, skip), flatten
    )
    if z_memory is not None:
        choices["z"] = z_memory
    return Case(name, op, replace(op.folding(q, p), **choices), _inputs(rng, op, extreme))


def depthwise_conv(
    name: str,
    shape: tuple[int, int, int],
    k: Pair = 3,
    stride: Pair = 1,
    pad: Sides = 1,
    x: QType = U8,
    coef: QType = S8,
    y: QType = U8,
    pad_value: int | None = 0,
    shift: int | None = None,
    extreme: bool = False,
    empty: tuple[int, ...] = (),
    rows: str | None = None,
) -> Case:
    """A random depthwise convolution; `pad_value`, `shift`, `extreme`, `rows` as above; `empty`: channels of coefficients 0."""
    rng = _rng(name)
    c = shape[2]
    kernel = (k, k) if isinstance(k, int) else k
    coefs = rng.integers(coef.lo, coef.hi + 1, (c, *kernel)).astype(np.int64)
    if extreme:
        coefs = rng.choice([coef.lo, coef.hi], (c, 1, 1)) * np.ones((c, *kernel), np.int64)
    coefs[list(empty)] = 0
    spread = max(1.0, float(np.sqrt((coefs**2).sum((1, 2)).mean()))) * max(-x.lo, x.hi) / 2
    if shift is None:
        shift = max(1, int(np.ceil(np.log2(spread * 40000 / (y.hi + 1)))))
    limit = min(1 << 31, max(2, (y.hi + 1) << shift)) // 2
    bias, multiplier = rng.integers(-limit, limit, c), rng.integers(1 << 12, 1 << 16, c)
    pads = np.full(c, pad_value) if pad_value is not None else rng.integers(x.lo, x.hi + 1, c)
    requant = Requant(multiplier.astype(np.int64), bias.astype(np.int64), shift, y)
    op = DepthwiseConv(TensorSpec(shape, x), coefs, coef, requant, stride, pad, pads.astype(np.int64))
    usual = op.folding()
    return Case(name, op, replace(usual, rows=rows or usual.rows), _inputs(rng, op, extreme))


def affine(
    name: str,
    shape: tuple[int, int, int],
    x: QType = U8,
    y: QType = U8,
    skip: QType | None = None,
    shift: int | None = None,
    zero: tuple[int, ...] = (),
    extreme: bool = False,
) -> Case:
    """Random multipliers of both signs and biases; `shift`, `extreme` as above; `zero`: channels of multiplier 0."""
    rng = _rng(name)
    c = shape[2]
    multiplier = rng.choice([-1, 1], c) * rng.integers(1 << 12, (1 << 16) + 1, c)
    if extreme:
        multiplier = rng.choice([-(1 << 16), (1 << 16) - 1], c)
    multiplier[list(zero)] = 0
    multiplier = multiplier.clip(-(1 << 16), (1 << 16) - 1).astype(np.int64)
    if shift is None:
        shift = max(1, int(np.ceil(np.log2(max(-x.lo, x.hi) / 2 * 40000 / (y.hi + 1)))))
    limit = min(1 << 31, max(2, (y.hi + 1) << shift)) // 2
    bias = rng.integers(-limit, limit, c).astype(np.int64)
    skip_k = 0 if skip is None else int(min(65535, max(1, (1 << shift) * (y.hi + 1) * 5 // (12 * skip.hi + 12))))
    spec = TensorSpec(shape, x)
    op = Affine(spec, SignedRequant(multiplier, bias, shift, y, skip_k), skip and TensorSpec(shape, skip))
    return Case(name, op, op.folding(), _inputs(rng, op, extreme))


def _shares(name: str, op: Merge) -> Case:
    """FRAMES images dealt out to the inputs, some of which get one more than others."""
    images = _values(_rng(name), op.out_spec, False)
    parts = (images.values[turn :: op.copies] for turn in range(op.copies))
    return Case(name, op, op.folding(), tuple(IntTensor(values, images.qtype) for values in parts))


def _plain(name: str, op: Operator, extreme: bool = False) -> Case:
    return Case(name, op, op.folding(), _inputs(_rng(name), op, extreme))


def _map(h: int, w: int, c: int, qtype: QType = U8) -> TensorSpec:
    return TensorSpec((h, w, c), qtype)


def _windows(x: QType) -> tuple[tuple[str, tuple[TensorSpec, Pair, Pair, Sides]], ...]:
    """Windows whose rows and columns, or sides, differ."""
    return (
        ("1x3", (_map(5, 9, 2, x), (1, 3), (1, 3), 0)),
        ("3x1", (_map(9, 5, 2, x), (3, 1), (2, 1), (1, 0, 1, 0))),
        ("2x4_strides", (_map(9, 10, 3, x), (2, 4), (2, 3), (1, 0, 0, 2))),
        ("4x2_one_channel", (_map(11, 6, 1, x), (4, 2), (3, 2), (0, 1, 3, 0))),
        ("ceil", (_map(7, 8, 2, x), 3, 2, (0, 0, 0, 1))),
        ("ceil_2x2", (_map(5, 7, 2, x), 2, 2, (0, 0, 1, 1))),
        ("top_left", (_map(6, 5, 2, x), 3, 1, (2, 2, 0, 0))),
        ("1x1_strides", (_map(5, 6, 2, x), 1, (2, 3), 0)),
        ("one_column", (_map(6, 1, 1, x), (3, 1), (2, 1), (1, 0, 0, 0))),
        ("1x2_one_channel", (_map(3, 2, 1, x), (1, 2), 2, 0)),
    )


S24, U4, S2, S3, S7 = QType(24, True), QType(4, False), QType(2, True), QType(3, True), QType(7, True)
ADDRESSES = {"step_bits": 0, "row_ends": "bit"}
SINGLE = {"z_buffers": 1, "sum_buffers": 1}
PAIR27 = {"multiplier": "pair", "preadder_bits": 27}

# sparse_mac with each of its choices, and with several at once.
MAC_CHOICES = (
    sparse_mac("mac_absolute", (4, 4, 4, 5), co=6, q=4, step_bits=0, row_ends="bit"),
    *(
        sparse_mac(
            f"mac_step{bits}_{ends}",
            (3, 4, 7, 5),
            9,
            q=4,
            p=p,
            density=0.15,
            empty_rows=(0, 1, 4, 8),
            full_rows=(3,),
            step_bits=bits,
            row_ends=ends,
        )
        for bits, ends, p in (
            (1, "bit", 2),
            (2, "bit", 1),
            (4, "bit", 3),
            (2, "step", 2),
            (3, "step", 1),
            (6, "step", 4),
        )
    ),
    sparse_mac("mac_step_empty", (3, 4, 3, 2), co=4, q=4, p=2, density=0.0, step_bits=2, row_ends="step"),
    sparse_mac("mac_step_one_row", (3, 4, 5, 2), co=1, q=4, density=0.3, step_bits=2, row_ends="step"),
    sparse_mac("mac_step_full", (3, 4, 3, 2), co=5, q=2, p=2, density=1.0, step_bits=3, row_ends="step"),
    *(
        sparse_mac(
            f"mac_z1_{style}_p{p}_step{bits}",
            (4, 5, 6, 5),
            7,
            q=4,
            p=p,
            z_buffers=1,
            z_memory=style,
            step_bits=bits,
            row_ends="bit",
        )
        for style, p, bits in (
            ("block", 1, 0),
            ("block", 2, 3),
            ("block", 3, 0),
            ("block", 4, 5),
            ("lut", 2, 0),
            ("lut", 3, 4),
        )
    ),
    sparse_mac("mac_z1_one_word", (3, 3, 1, 1), co=3, q=2, density=1.0, p=2, z_buffers=1, z_memory="block"),
    sparse_mac(
        "mac_z1_one_group", (2, 2, 6, 3), co=4, q=4, p=2, z_buffers=1, z_memory="block", step_bits=2, row_ends="step"
    ),
    sparse_mac("mac_z1_load_bound", (4, 4, 20, 5), co=3, q=2, p=3, density=0.03, z_buffers=1, z_memory="block"),
    sparse_mac("mac_z1_map", (3, 5, 7), co=5, q=4, p=2, z=U8, skip=U8, z_buffers=1, z_memory="block"),
    *(
        sparse_mac(
            f"mac_z{buffers}_ultra_p{p}",
            (4, 5, 6, 5),
            7,
            q=4,
            p=p,
            z_buffers=buffers,
            z_memory="ultra",
            step_bits=3,
            row_ends="bit",
        )
        for buffers, p in ((1, 1), (1, 2), (1, 3), (2, 2))
    ),
    *(
        sparse_mac(f"mac_z{n}_ultra_map", (3, 5, 7), co=5, q=4, p=3, z=U8, skip=U8, z_buffers=n, z_memory="ultra")
        for n in (1, 2)
    ),
    sparse_mac("mac_sums1", (4, 5, 6, 5), co=7, q=4, p=2, sum_buffers=1, skip=U8),
    sparse_mac(
        "mac_sums1_block", (4, 5, 6, 5), co=7, q=4, p=3, sum_buffers=1, sums="block", step_bits=3, row_ends="step"
    ),
    sparse_mac("mac_sums1_drain_bound", (4, 4, 3, 2), co=12, q=4, p=4, sum_buffers=1),
    sparse_mac("mac_single", (3, 5, 6, 5), co=7, q=4, p=2, **SINGLE, z_memory="block", step_bits=4, row_ends="step"),
    sparse_mac("mac_single_many_groups", (18, 16, 3, 2), co=4, q=1, **SINGLE, step_bits=2, row_ends="bit"),
    *(
        sparse_mac(f"mac_pair_q{q}_p{p}", (3, 5, 6, 5), 7, q=q, p=p, multiplier="pair", coef=coef, density=0.4)
        for q, p, coef in ((2, 1, S8), (4, 2, S4), (6, 3, S4), (12, 1, S2), (8, 4, S8))
    ),
    sparse_mac("mac_pair_extreme", (4, 4, 8, 5), co=4, q=4, extreme=True, multiplier="pair", shift=5, y=S8),
    sparse_mac("mac_pair_extreme_p3", (4, 4, 30, 5), co=6, q=4, p=3, extreme=True, multiplier="pair", shift=8, y=S8),
    sparse_mac(
        "mac_pair_extreme_u8", (4, 4, 8, 5), co=4, q=4, p=2, z=U8, extreme=True, multiplier="pair", shift=5, y=S8
    ),
    *(
        sparse_mac(f"mac_pair27_q{q}_p{p}", (3, 5, 6, 5), 7, q=q, p=p, coef=coef, density=0.4, **PAIR27)
        for q, p, coef in ((2, 1, S8), (4, 2, S4), (6, 3, S4))
    ),
    sparse_mac("mac_pair27_extreme", (4, 4, 8, 5), co=4, q=4, extreme=True, shift=5, y=S8, **PAIR27),
    sparse_mac("mac_pair27_extreme_u8", (4, 4, 30, 5), co=4, q=4, p=2, z=U8, extreme=True, shift=8, y=S8, **PAIR27),
    sparse_mac("mac_pair27_fits", (4, 4, 2, 1), co=4, q=4, coef=S8, extreme=True, shift=2, y=S8, **PAIR27),
    sparse_mac("mac_pair27_wide_z", (2, 4, 9), co=5, q=4, p=2, z=QType(14, False), skip=U8, **PAIR27),
    sparse_mac("mac_pair_fits", (4, 4, 2, 1), co=4, q=4, z=S7, coef=S4, extreme=True, multiplier="pair", shift=2, y=S8),
    sparse_mac("mac_pair_bound", (4, 4, 8, 4), co=4, q=2, coef=S4, extreme=True, multiplier="pair", shift=1, y=S24),
    sparse_mac("mac_pair_wide_z", (2, 4, 9), co=5, q=4, p=2, z=QType(12, False), multiplier="pair", skip=U8),
    sparse_mac("mac_pair_map", (3, 5, 7), co=5, q=4, p=2, z=U8, multiplier="pair", z_buffers=1, z_memory="block"),
    sparse_mac(
        "mac_pair_single",
        (3, 5, 6, 5),
        co=9,
        q=4,
        p=4,
        skip=S8,
        multiplier="pair",
        **SINGLE,
        step_bits=3,
        row_ends="step",
    ),
    *(
        sparse_mac(f"mac_lut{coef.bits}_p{p}", (3, 4, 6, 5), 7, q=4, p=p, z=z, multiplier="lut", coef=coef, density=0.5)
        for coef, z, p in ((S4, S8, 1), (S4, U8, 2), (S3, S8, 2), (S2, S8, 1), (S2, U8, 2), (QType(1, True), S8, 1))
    ),
    sparse_mac("mac_lut_extreme", (4, 4, 8, 5), co=4, q=4, extreme=True, multiplier="lut", coef=S4, shift=3, y=S8),
    sparse_mac("mac_lut2_extreme", (4, 4, 8, 5), co=4, q=4, extreme=True, multiplier="lut", coef=S2, shift=2, y=S8),
    sparse_mac(
        "mac_lut_single",
        (3, 5, 6, 5),
        co=9,
        q=1,
        p=4,
        skip=S8,
        multiplier="lut",
        coef=S4,
        **SINGLE,
        step_bits=3,
        row_ends="step",
    ),
)

CASES: dict[str, tuple[Case, ...]] = {
    "basis_conv": (
        basis_conv("basis_8x8_q4", (8, 8, 4), q=4, d=5),
        basis_conv("basis_d1_q1", (5, 6, 2), q=1, d=1, x=S8),
        basis_conv("basis_ragged_q8", (5, 7, 3), q=8),
        basis_conv("basis_rows_in_group", (4, 3, 2), q=16, d=5, pad_value=None),
        basis_conv("basis_pixel_1x1", (1, 1, 5), q=1, d=5),
        basis_conv("basis_stride2_even", (8, 8, 3), q=4, stride=2),
        basis_conv("basis_stride2_odd", (7, 9, 2), q=4, stride=2, d=2),
        basis_conv("basis_identity_raw", (6, 6, 3), q=4, k=3, identity=True, x=U8, z=QType(9, True), pad_value=None),
        basis_conv("basis_identity_u8", (4, 6, 2), q=2, k=3, identity=True, z=U8),
        basis_conv("basis_saturate", (6, 5, 2), q=4, d=4, extreme=True, shifts=(2, 0, 3, 9)),
        basis_conv(
            "basis_saturate_signed", (4, 4, 3), q=8, d=3, x=S8, z=QType(6, True), extreme=True, shifts=(4, 7, 1)
        ),
        basis_conv("basis_zero_map", (4, 5, 2), q=4, d=3, zero_basis=True),
        basis_conv("basis_valid", (6, 7, 2), q=4, pad=0),
        basis_conv("basis_7x7_stem", (14, 13, 3), q=4, k=7, stride=2, pad=3, d=2, pad_value=None),
        basis_conv("basis_1x1_kernel", (4, 5, 3), q=4, k=1, pad=0, d=2),
        basis_conv("basis_wide_d", (3, 4, 2), q=1, d=9),
        basis_conv("basis_taller_than_map", (1, 9, 3), q=1, k=(7, 3), pad=(3, 1, 3, 1), d=9, pad_value=None),
        basis_conv("basis_larger_than_map", (2, 2, 2), q=2, k=7, pad=3, m=7),
        basis_conv("basis_larger_than_map_graph", (3, 3, 5), q=2, k=5, pad=2),
        basis_conv("basis_window_beyond_row_of_7", (8, 7, 3), q=6, k=5, pad=2, d=5),
        basis_conv("basis_window_beyond_row_of_7_q1", (4, 7, 3), q=1, k=5, pad=2, d=2),
        basis_conv("basis_waits_for_rows_and_words", (9, 9, 6), q=1, d=20, k=(4, 5), stride=3, pad=0),
        basis_conv("basis_group_is_frame", (4, 4, 6), q=16, d=5),
        basis_conv("basis_1_by_n", (1, 9, 2), q=4, d=2),
        basis_conv("basis_n_by_1", (9, 1, 2), q=4, d=2),
        *(basis_conv(f"basis_1x5_q{q}", (5, 9, 2), q=q, k=(1, 5), pad=(0, 2, 0, 2), d=2) for q in (1, 4, 16)),
        *(
            basis_conv(f"basis_5x1_q{q}", (9, 5, 2), q=q, k=(5, 1), pad=(2, 0, 2, 0), pad_value=None)
            for q in (1, 4, 16)
        ),
        *(basis_conv(f"basis_3x2_same_q{q}", (6, 7, 3), q=q, k=(3, 2), pad=(1, 0, 1, 1), d=4) for q in (2, 8, 32)),
        basis_conv("basis_2x4_strides", (9, 10, 2), q=4, k=(2, 4), stride=(2, 3), pad=(1, 0, 0, 2), pad_value=None),
        basis_conv("basis_4x3_strides", (11, 6, 3), q=4, k=(4, 3), stride=(3, 1), pad=(0, 2, 3, 1), d=2),
        basis_conv("basis_1x3_stride2", (5, 9, 2), q=8, k=(1, 3), stride=(1, 2), pad=(0, 0, 0, 1), d=5),
        basis_conv("basis_top_left", (6, 5, 2), q=4, k=3, pad=(2, 2, 0, 0), d=2, pad_value=None),
        basis_conv("basis_bottom_right", (6, 5, 2), q=4, k=3, pad=(0, 0, 2, 2), d=2, pad_value=None),
        basis_conv("basis_bottom_right_stride2", (7, 8, 3), q=4, k=3, stride=2, pad=(0, 0, 1, 1)),
        basis_conv("basis_3x1_one_channel", (7, 4, 1), q=2, k=(3, 1), pad=(1, 0, 1, 0), d=1),
        basis_conv("basis_1x7_stem", (12, 13, 3), q=4, k=(1, 7), stride=(1, 2), pad=(0, 3, 0, 3), x=S8),
        basis_conv("basis_ultra", (5, 7, 3), q=8, d=4, rows="ultra"),
        basis_conv("basis_half_unread", (6, 7, 6), q=4, d=5, unread=0.5),
        basis_conv("basis_half_unread_q1", (5, 4, 9), q=1, d=5, unread=0.5, pad_value=None),
        basis_conv("basis_silent_first_and_last", (5, 6, 6), q=2, d=3, silent=(0, 3, 5), pad_value=None),
        basis_conv("basis_silent_middle_q32", (7, 6, 5), q=32, d=4, unread=0.4, silent=(1, 2), dropped=(0,)),
        basis_conv("basis_one_channel_of_4", (6, 5, 4), q=4, d=4, silent=(0, 1, 3), dropped=(1, 3), stride=2),
        basis_conv("basis_one_word", (4, 5, 3), q=4, d=3, silent=(0, 2), dropped=(0, 1)),
        *(basis_conv(f"basis_shared_{m}", (6, 7, 5), q=4, d=5, unread=0.5, m=m) for m in (3, 9)),
        *(basis_conv(f"basis_shared_all_{m}", (5, 5, 3), q=1, d=3, x=S8, pad_value=None, m=m) for m in (3, 9)),
        *(basis_conv(f"basis_shared_rows_{m}", (4, 3, 2), q=16, d=2, pad_value=None, m=m) for m in (3, 9)),
        *(basis_conv(f"basis_shared_stride2_{m}", (9, 8, 3), q=4, stride=2, d=2, unread=0.3, m=m) for m in (3, 9)),
        *(basis_conv(f"basis_shared_pixel_{m}", (1, 1, 5), q=1, d=4, silent=(1, 4), m=m) for m in (3, 9)),
        *(
            basis_conv(f"basis_shared_2x4_{m}", (9, 10, 2), q=6, k=(2, 4), stride=(2, 3), pad=(1, 0, 0, 2), m=m)
            for m in (2, 8)
        ),
        *(
            basis_conv(f"basis_shared_1x5_{m}", (5, 9, 2), q=12, k=(1, 5), pad=(0, 2, 0, 2), d=1, z=U8, m=m)
            for m in (1, 5)
        ),
        *(
            basis_conv(f"basis_shared_saturate_{m}", (6, 5, 2), q=4, d=4, extreme=True, shifts=(2, 0, 3, 9), m=m)
            for m in (3, 9)
        ),
        *(
            basis_conv(f"basis_shared_identity_{m}", (4, 6, 3), q=24, k=(3, 2), pad=(1, 0, 1, 1), identity=True, m=m)
            for m in (3, 6)
        ),
        basis_conv("basis_shared_4x3_strides", (11, 6, 3), q=4, k=(4, 3), stride=(3, 1), pad=(0, 2, 3, 1), d=2, m=4),
        basis_conv("basis_shared_ultra", (5, 7, 3), q=4, d=4, m=9, rows="ultra"),
        basis_conv("basis_shared_one_word", (4, 5, 3), q=2, d=3, silent=(0, 2), dropped=(0, 1), m=9),
        basis_conv("basis_identity_1x2", (4, 6, 3), q=4, k=(1, 2), pad=(0, 1, 0, 0), identity=True, z=QType(9, True)),
    ),
    "sparse_mac": (
        sparse_mac("mac_q4", (4, 4, 4, 5), co=6, q=4),
        sparse_mac("mac_residual", (4, 6, 4, 5), co=8, q=8, skip=U8),
        sparse_mac("mac_residual_signed", (3, 5, 3, 3), co=5, q=4, p=2, skip=S8, y=S8),
        sparse_mac("mac_edge_rows", (4, 3, 4, 4), co=7, q=4, empty_rows=(0, 3, 6), full_rows=(1, 5)),
        sparse_mac("mac_all_zero", (3, 4, 3, 2), co=4, q=4, density=0.0),
        sparse_mac("mac_all_zero_p2", (3, 4, 3, 2), co=4, q=2, p=2, density=0.0, skip=U8),
        sparse_mac("mac_ragged_q8", (3, 5, 3, 3), co=5, q=8),
        sparse_mac("mac_q1", (3, 3, 4, 5), co=3, q=1),
        sparse_mac("mac_p4", (4, 4, 8, 5), co=9, q=4, p=4, density=0.6),
        sparse_mac("mac_p3", (4, 4, 8, 5), co=11, q=8, p=3, density=0.4, skip=U8),
        sparse_mac("mac_p6", (3, 4, 5, 4), co=7, q=2, p=6, density=0.5),
        sparse_mac("mac_p8", (2, 4, 6, 3), co=8, q=4, p=8, density=0.7),
        sparse_mac("mac_p8_wide_program", (2, 2, 30, 5), 8, q=2, p=8, density=0.05, **ADDRESSES),  # words of 136 bits
        sparse_mac("mac_p2_bound", (4, 4, 6, 5), co=8, q=2, p=2, density=0.9),
        sparse_mac("mac_saturate", (2, 4, 4, 3), co=4, q=4, extreme=True, shift=4),
        sparse_mac("mac_saturate_signed", (2, 4, 4, 3), co=4, q=4, p=2, extreme=True, y=S8, shift=3, skip=S8),
        sparse_mac("mac_coef4_z6", (4, 4, 4, 5), co=6, q=8, coef=S4, z=QType(6, True), y=U4),
        sparse_mac("mac_ternary", (4, 4, 4, 3), co=6, q=4, coef=S2),
        sparse_mac("mac_pixel", (1, 1, 6, 5), co=4, q=1),
        sparse_mac("mac_unsigned_z", (4, 4, 2, 9), co=4, q=4, z=U8),
        sparse_mac("mac_map_1x1", (4, 5, 6), co=4, q=4, z=U8),
        sparse_mac("mac_map_1x1_skip", (3, 3, 5), co=6, q=4, p=2, z=U8, skip=U8),
        sparse_mac("mac_map_q1", (3, 3, 5), co=6, q=1, z=U8, full_rows=(0, 1, 2)),
        sparse_mac("mac_linear", (1, 1, 16), co=10, q=1, z=QType(14, False), y=S24, density=1.0),
        sparse_mac("mac_linear_p4", (1, 1, 12), co=10, q=1, p=4, z=QType(14, False), y=S24, density=1.0),
        sparse_mac("mac_flatten", (3, 3, 4), co=5, q=1, z=U8, y=S24, flatten=True, density=0.7),
        sparse_mac("mac_one_channel", (3, 4, 1, 1), co=1, q=4, density=1.0),
        sparse_mac("mac_turns", (4, 4, 4, 5), co=6, q=4, skip=U8, requant_cycles=2),
        sparse_mac("mac_turns_signed", (3, 5, 3, 3), co=5, q=4, p=2, skip=S8, y=S8, requant_cycles=2),
        sparse_mac(
            "mac_turns_saturate", (2, 4, 4, 3), co=4, q=4, extreme=True, y=S8, shift=3, skip=S8, requant_cycles=3
        ),
        sparse_mac("mac_turns_wide_skip", (3, 3, 2, 2), co=4, q=2, coef=S2, skip=QType(14, True), requant_cycles=2),
        *(
            sparse_mac(f"mac_small_m_{n}", (4, 3, 4, 4), co=5, q=4, p=2, m_bits=10, shift=17, skip=U8, requant_cycles=n)
            for n in (1, 2, 9)
        ),
        sparse_mac("mac_paced", (4, 3, 4, 4), co=7, q=4, p=2, requant_cycles=2),
        sparse_mac("mac_serial", (4, 3, 4, 4), co=7, q=4, p=2, requant_cycles=9),
        sparse_mac("mac_serial_q1", (3, 3, 4, 5), co=3, q=1, y=S8, requant_cycles=9),
        sparse_mac("mac_serial_skip", (3, 3, 3, 3), co=5, q=4, skip=U8, requant_cycles=9),
        sparse_mac("mac_serial_skip_signed", (3, 5, 3, 3), co=5, q=4, p=3, skip=S8, y=S8, requant_cycles=9),
        sparse_mac("mac_serial_wide_skip", (3, 3, 2, 2), co=4, q=2, coef=S2, skip=QType(14, True), requant_cycles=9),
        sparse_mac("mac_serial_slow", (2, 3, 3, 3), co=4, q=2, skip=U8, requant_cycles=11),
        sparse_mac(
            "mac_serial_saturate", (2, 4, 4, 3), co=4, q=4, extreme=True, y=S8, shift=3, skip=S8, requant_cycles=9
        ),
        sparse_mac(
            "mac_serial_linear", (1, 1, 12), co=10, q=1, z=QType(14, False), y=S24, density=1.0, requant_cycles=9
        ),
        sparse_mac("mac_wide_sums", (2, 3, 40), co=5, q=2, z=QType(14, False), extreme=True),
        sparse_mac("mac_wide_sums_skip", (2, 3, 70), co=5, q=2, z=QType(16, True), extreme=True, skip=U8),
        sparse_mac("mac_wide_sums_serial", (2, 3, 40), co=5, q=2, z=QType(14, False), extreme=True, requant_cycles=9),
        sparse_mac("mac_short_drain", (4, 4, 16, 5), co=1, q=4, density=0.05),
        sparse_mac("mac_pair_turns", (4, 4, 4, 5), co=6, q=4, p=2, skip=U8, multiplier="pair", requant_cycles=2),
        sparse_mac("mac_pair_serial", (4, 3, 4, 4), co=7, q=4, p=2, multiplier="pair", requant_cycles=9, sum_buffers=1),
        *MAC_CHOICES,
    ),
    "depthwise_conv": (
        depthwise_conv("depthwise_8x8", (8, 8, 4)),
        depthwise_conv("depthwise_ultra", (5, 7, 3), rows="ultra"),
        depthwise_conv("depthwise_pads", (5, 7, 3), pad_value=None),
        depthwise_conv("depthwise_larger_than_map", (1, 3, 2), k=(7, 5), pad=(3, 2, 3, 2), pad_value=None),
        depthwise_conv("depthwise_signed", (6, 5, 2), x=S8, y=S8, pad_value=None),
        depthwise_conv("depthwise_one_channel", (7, 4, 1)),
        depthwise_conv("depthwise_pixel", (1, 1, 5)),
        depthwise_conv("depthwise_stride2_even", (8, 8, 3), stride=2),
        depthwise_conv("depthwise_stride2_odd", (7, 9, 2), stride=2, empty=(1,)),
        depthwise_conv("depthwise_stride3", (10, 7, 2), stride=3, pad=0),
        depthwise_conv("depthwise_valid", (6, 7, 2), pad=0),
        depthwise_conv("depthwise_5x5", (7, 6, 3), k=5, pad=2, pad_value=None),
        depthwise_conv("depthwise_7x7_stride2", (12, 11, 2), k=7, stride=2, pad=3),
        depthwise_conv("depthwise_2x2", (5, 6, 3), k=2, pad=1),
        depthwise_conv("depthwise_1x1_kernel", (4, 5, 3), k=1, pad=0),
        depthwise_conv("depthwise_1x1_pixel", (1, 1, 1), k=1, pad=0),
        depthwise_conv("depthwise_1_by_n", (1, 9, 2)),
        depthwise_conv("depthwise_n_by_1", (9, 1, 2)),
        depthwise_conv("depthwise_saturate", (4, 5, 3), extreme=True, shift=4),
        depthwise_conv("depthwise_saturate_signed", (4, 5, 3), x=S8, y=S8, extreme=True, shift=3),
        depthwise_conv("depthwise_narrow", (5, 5, 4), x=QType(5, False), coef=S2, y=U4),
        depthwise_conv("depthwise_wide", (4, 4, 3), x=QType(12, False), y=QType(16, True)),
        depthwise_conv("depthwise_many_channels", (3, 4, 70)),
        depthwise_conv("depthwise_1x5", (5, 9, 3), k=(1, 5), pad=(0, 2, 0, 2)),
        depthwise_conv("depthwise_5x1", (9, 4, 3), k=(5, 1), pad=(2, 0, 2, 0), pad_value=None),
        depthwise_conv("depthwise_3x2_same", (6, 7, 2), k=(3, 2), pad=(1, 0, 1, 1), x=S8, y=S8),
        depthwise_conv("depthwise_2x4_strides", (9, 10, 2), k=(2, 4), stride=(2, 3), pad=(1, 0, 0, 2), pad_value=None),
        depthwise_conv("depthwise_4x3_strides", (11, 6, 3), k=(4, 3), stride=(3, 1), pad=(0, 2, 3, 1)),
        depthwise_conv("depthwise_1x3_stride2", (5, 9, 2), k=(1, 3), stride=(1, 2), pad=(0, 0, 0, 1)),
        depthwise_conv("depthwise_top_left", (6, 5, 2), k=3, pad=(2, 2, 0, 0), pad_value=None),
        depthwise_conv("depthwise_bottom_right", (7, 8, 2), k=3, stride=2, pad=(0, 0, 1, 1), pad_value=None),
        depthwise_conv("depthwise_3x1_one_channel", (7, 4, 1), k=(3, 1), pad=(1, 0, 1, 0)),
    ),
    "max_pool": (
        _plain("max_2x2", MaxPool(_map(6, 6, 3), 2, 2)),
        _plain("max_2x2_odd", MaxPool(_map(5, 7, 2), 2, 2)),
        _plain("max_3x3_s2_pad", MaxPool(_map(8, 8, 3, S8), 3, 2, 1)),
        _plain("max_3x3_s2_pad_odd", MaxPool(_map(7, 5, 2, S8), 3, 2, 1)),
        _plain("max_3x3_s1_pad", MaxPool(_map(4, 5, 1, S8), 3, 1, 1)),
        _plain("max_3x3_s3", MaxPool(_map(7, 9, 4), 3, 3)),
        _plain("max_whole", MaxPool(_map(2, 2, 5), 2, 2)),
        _plain("max_1x1", MaxPool(_map(3, 4, 2), 1, 1)),
        _plain("max_1x1_s2", MaxPool(_map(5, 4, 2), 1, 2)),
        _plain("max_pixel_pad", MaxPool(_map(1, 1, 3, S8), 3, 2, 1)),
        *(_plain(f"max_{name}", MaxPool(*windows)) for name, windows in _windows(S8)),
    ),
    "avg_pool": (
        _plain("avg_2x2", AvgPool(_map(6, 6, 3), 2, 2)),
        _plain("avg_2x2_odd", AvgPool(_map(5, 7, 2, S8), 2, 2)),
        _plain("avg_3x3_s2_pad", AvgPool(_map(8, 8, 3), 3, 2, 1)),
        _plain("avg_3x3_s2_pad_odd", AvgPool(_map(7, 5, 2, S8), 3, 2, 1)),
        _plain("avg_3x3_s1_pad", AvgPool(_map(4, 5, 1, S8), 3, 1, 1)),
        _plain("avg_3x3_s3", AvgPool(_map(7, 9, 4, S4), 3, 3)),
        _plain("avg_5x5_s2_pad", AvgPool(_map(6, 9, 2), 5, 2, 2)),
        _plain("avg_whole", AvgPool(_map(4, 4, 5, S8), 4, 4)),
        _plain("avg_1x1", AvgPool(_map(3, 4, 2, S8), 1, 1)),
        _plain("avg_pixel_pad", AvgPool(_map(1, 1, 3, S8), 3, 2, 1)),
        _plain("avg_saturated", AvgPool(_map(6, 6, 2), 3, 1, 1), extreme=True),
        _plain("avg_saturated_signed", AvgPool(_map(6, 6, 2, S8), 2, 1, 1), extreme=True),
        _plain("avg_of_sums", AvgPool(_map(6, 4, 3, QType(12, False)), 2, 2)),
        _plain("avg_block", AvgPool(_map(4, 40, 80), 2, 2)),
        *(_plain(f"avg_{name}", AvgPool(*windows)) for name, windows in _windows(S8)),
    ),
    "global_pool": (
        _plain("pool_4x4", GlobalPool(_map(4, 4, 6))),
        _plain("pool_signed", GlobalPool(_map(3, 5, 4, S8))),
        _plain("pool_pixel", GlobalPool(_map(1, 1, 4))),
        _plain("pool_one_channel", GlobalPool(_map(3, 3, 1, S8))),
        _plain("pool_two_channels", GlobalPool(_map(4, 2, 2))),
    ),
    "subsample": (
        _plain("sub_option_a", Subsample(_map(6, 6, 4), 2, 8, 2)),
        _plain("sub_odd", Subsample(_map(5, 7, 3), 2, 5, 1)),
        _plain("sub_stride_only", Subsample(_map(5, 5, 3), 2, 3, 0)),
        _plain("sub_channels_only", Subsample(_map(3, 4, 2), 1, 6, 0)),
        _plain("sub_before", Subsample(_map(3, 4, 2), 1, 6, 4)),
        _plain("sub_pixel", Subsample(_map(1, 1, 1), 2, 1, 0)),
        _plain("sub_stride3", Subsample(_map(7, 8, 2), 3, 4, 1)),
    ),
    "fork": (
        _plain("fork_2", Fork(_map(3, 4, 2))),
        _plain("fork_3", Fork(_map(2, 2, 3), 3)),
    ),
    "upsample": (
        _plain("up_2", Upsample(_map(4, 5, 3), 2)),
        _plain("up_3_signed", Upsample(_map(3, 2, 4, S8), 3)),
        _plain("up_one_channel", Upsample(_map(5, 3, 1, S4), 2)),
        _plain("up_one_column", Upsample(_map(4, 1, 2), 2)),
        _plain("up_row", Upsample(_map(1, 6, 5), 4)),
        _plain("up_pixel", Upsample(_map(1, 1, 3), 2)),
        _plain("up_pixel_one_channel", Upsample(_map(1, 1, 1), 2)),
        _plain("up_block", Upsample(_map(3, 8, 40, S8), 2)),
    ),
    "deal": (
        _plain("deal_2", Deal(_map(3, 4, 2))),
        _plain("deal_3_partial", Deal(_map(2, 2, 3), 3)),
        _plain("deal_4_values", Deal(_map(1, 1, 1), 4)),
        _plain("deal_3_wide", Deal(_map(2, 2, 3), 3, 4)),
        _plain("deal_2_one_beat", Deal(_map(2, 2, 2), 2, 8)),
    ),
    "narrow": (
        _plain("narrow_4", Narrow(_map(4, 3, 3), 4)),
        _plain("narrow_8_one_beat", Narrow(_map(1, 4, 2), 8)),
        _plain("narrow_2_signed", Narrow(_map(3, 4, 1, S4), 2)),
    ),
    "merge": (
        _plain("merge_2", Merge(_map(3, 4, 2))),
        _plain("merge_3_signed", Merge(_map(2, 2, 3, S8), 3)),
        _plain("merge_4_values", Merge(_map(1, 1, 1), 4)),
        _shares("merge_3_partial", Merge(_map(2, 3, 2), 3)),
    ),
    "concat": (
        _plain("concat_3_5", Concat(_map(4, 6, 3), _map(4, 6, 5))),
        _plain("concat_signed", Concat(_map(5, 3, 4, S8), _map(5, 3, 2, S8))),
        _plain("concat_one_channel", Concat(_map(3, 5, 1), _map(3, 5, 1))),
        _plain("concat_uneven", Concat(_map(2, 3, 1, S4), _map(2, 3, 16, S4))),
        _plain("concat_pixel", Concat(_map(1, 1, 7), _map(1, 1, 2))),
    ),
    "clip": (
        _plain("clip_relu", Clip(_map(4, 5, 3, S8), 0, 127)),
        _plain("clip_relu6", Clip(_map(3, 4, 2, S8), 0, 77)),
        _plain("clip_unsigned", Clip(_map(3, 5, 4), 0, 200)),
        _plain("clip_above", Clip(_map(3, 5, 2), 17, 255)),
        _plain("clip_both", Clip(_map(5, 3, 4, S8), -31, 54)),
        _plain("clip_negative", Clip(_map(5, 3, 1, S8), -128, -7)),
        _plain("clip_positive", Clip(_map(2, 3, 5, S8), 9, 80)),
        _plain("clip_wide", Clip(_map(4, 4, 2, QType(13, True)), -1000, 2500)),
        _plain("clip_pixel", Clip(_map(1, 1, 1), 3, 100)),
        _plain("clip_extreme", Clip(_map(2, 2, 3, S8), -127, 127), extreme=True),
    ),
    "affine": (
        affine("affine_4x5", (4, 5, 3)),
        affine("affine_signed", (5, 3, 4), x=S8, y=S8),
        affine("affine_skip", (3, 7, 4), skip=U8),
        affine("affine_skip_signed", (6, 5, 2), x=S8, y=S8, skip=S8),
        affine("affine_skip_wide", (3, 4, 3), x=U8, y=S8, skip=QType(14, False)),
        affine("affine_one_channel", (5, 7, 1), x=S8, skip=U8),
        affine("affine_pixel", (1, 1, 6)),
        affine("affine_pixel_one_channel", (1, 1, 1), y=S8),
        affine("affine_zero", (3, 4, 4), zero=(0, 2)),
        affine("affine_to_16_bits", (4, 3, 5), x=S8, y=QType(16, True)),
        affine("affine_of_sums", (1, 1, 20), x=QType(14, False), y=S8),
        affine("affine_of_wide_sums", (2, 3, 4), x=QType(26, True), y=QType(16, True), skip=S8),
        affine("affine_narrow", (5, 5, 3), x=S2, y=U4),
        affine("affine_saturate", (4, 4, 5), shift=3, extreme=True, skip=U8),
        affine("affine_saturate_signed", (4, 4, 5), x=S8, y=S8, shift=1, extreme=True, skip=S8),
        affine("affine_shift_47", (3, 3, 2), shift=47),
        affine("affine_many_channels", (3, 4, 70), y=S8, skip=S8),
    ),
}


def case(name: str) -> Case:
    """The case of that id."""
    return next(c for cases in CASES.values() for c in cases if c.id == name)
