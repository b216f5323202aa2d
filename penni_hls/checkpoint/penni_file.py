"""`.penni`, this project's own format: a network of any architecture, its zeros left out. See docs/formats.md.

The structure is JSON (see serialize), the arrays are packed by `sparse`. Beside the float network a file may hold the
integer network that quantization-aware training made of it. The same network gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from ..errors import CheckpointError, ProjectError, UsageError
from ..files import replace_file
from ..ir import ops, vocabulary
from ..ir.bits import Bits, LayerBits, layers_of
from ..ir.graph import Graph, GraphError, verify
from ..ir.layers import AvgPool, BatchNorm, Conv, Input, Layer, Linear, MaxPool, PadShortcut, PenniConv
from ..ir.quantized import Quantized
from ..ir.serialize import Codec
from .files import check_size
from .settings import is_eps
from .sparse import Packed, deflate, inflate, pack, unpack
from .tensors import check_shape
from .traced.windows import MAX_WINDOW

NAME = "penni-hls sparse"
SUFFIX = ".penni"
MAGIC, VERSION = b"\x89penni\r\n", 1
HEADER = 48  # bytes: magic, version, length of the structure, SHA-256 of what follows
MAX_FILE, MAX_STRUCTURE, MAX_ELEMENTS, MAX_SIDE = 1 << 30, 64 << 20, 1 << 28, 1 << 16
DTYPES = {name: np.dtype(f"<{code}") for name, code in (
    ("bool", "b1"), ("int8", "i1"), ("int16", "i2"), ("int32", "i4"), ("int64", "i8"), ("uint8", "u1"),
    ("uint16", "u2"), ("uint32", "u4"), ("uint64", "u8"), ("float16", "f2"), ("float32", "f4"), ("float64", "f8"),
)}  # fmt: skip

_FLOAT = Codec(vocabulary.FLOAT)
_INTEGER = Codec((Quantized, *vocabulary.INTEGER))


@dataclass(frozen=True, eq=False)
class Stored:
    """What a file holds: the float network; where quantization-aware training made one, the integer network; where widths
    of weights were chosen, those of each layer."""

    graph: Graph[Layer]
    quantized: Quantized | None
    bits: LayerBits | None


def recognises(path: Path, head: bytes) -> bool:
    return head.startswith(MAGIC) or path.suffix == SUFFIX


# Writing.


def write(
    path: str | Path,
    graph: Graph[Layer],
    quantized: Quantized | None = None,
    half: bool = False,
    bits: LayerBits | None = None,
) -> None:
    """Write the network to `path`, atomically. half: weights (not vectors) rounded to 16 bits.

    quantized: an integer network of it, which `generate` then takes as it is. bits: widths of weights by layer, which it
    takes unless others are asked for.
    """
    replace_file(Path(path), to_bytes(graph, quantized, half, bits))


def to_bytes(
    graph: Graph[Layer], quantized: Quantized | None = None, half: bool = False, bits: LayerBits | None = None
) -> bytes:
    arrays: dict[str, np.ndarray] = {}
    structure = {
        "float": _FLOAT.encode(graph, arrays),
        "integer": None if quantized is None else _INTEGER.encode(quantized, arrays),
        **({"bits": {name: str(pair) for name, pair in bits.items()}} if bits else {}),
    }
    stored = {name: _halved(array) if half else array for name, array in arrays.items()}
    packed = {name: pack(array) for name, array in stored.items()}
    table = [
        {"shape": list(stored[name].shape), "dtype": stored[name].dtype.name, "coding": one.coding, "count": one.count,
         "values": len(one.values), "positions": len(one.positions)}
        for name, one in packed.items()
    ]  # fmt: skip
    text = json.dumps({**structure, "arrays": table}, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    head = deflate(text.encode())
    body = head + b"".join(one.values + one.positions for one in packed.values())
    return b"".join(
        (MAGIC, VERSION.to_bytes(4, "little"), len(head).to_bytes(4, "little"), hashlib.sha256(body).digest(), body)
    )


def _halved(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.float32 or array.ndim < 2:
        return array
    with np.errstate(over="ignore"):
        rounded = array.astype(np.float16)
    if not np.isfinite(rounded).all():
        raise UsageError("a weight is beyond the range of 16-bit numbers: write them in full")
    return rounded


# Reading.


def stored(path: Path) -> Stored:
    """CheckpointError, one line without the path, whatever is in the file."""
    check_size(path.stat().st_size, MAX_FILE)
    data = path.read_bytes()
    if not data.startswith(MAGIC) or len(data) < HEADER:
        raise CheckpointError(f"it is truncated, or not a {SUFFIX} file")
    version, length = (int.from_bytes(data[at : at + 4], "little") for at in (8, 12))
    if version != VERSION:
        raise CheckpointError(f"it is of version {version} of the format; this penni-hls reads version {VERSION}")
    body = memoryview(data)[HEADER:]
    if hashlib.sha256(body).digest() != data[16:HEADER] or length > len(body):
        raise CheckpointError("it is damaged or truncated (its digest differs)")
    try:
        return _decoded(json.loads(inflate(bytes(body[:length]), 0, MAX_STRUCTURE)), body[length:])
    except CheckpointError:
        raise
    except (ProjectError, GraphError) as error:
        raise CheckpointError(f"it is damaged: {error}") from None
    except Exception as error:  # a forged structure can fail anywhere
        raise CheckpointError(f"it is damaged: its structure is inconsistent ({type(error).__name__})") from error


def _decoded(structure: dict, body: memoryview) -> Stored:
    arrays = _arrays(structure["arrays"], body)
    graph = _FLOAT.decode(structure["float"], arrays)
    _check_graph(graph, get_args(Layer))
    for node in graph:
        _check_layer(node.name, node.op)
    quantized = None
    if structure["integer"] is not None:
        quantized = _INTEGER.decode(structure["integer"], arrays)
        if not isinstance(quantized, Quantized) or not 0 < quantized.logit_scale < math.inf:
            raise CheckpointError("it is damaged: its integer network is invalid")
        _check_graph(quantized.graph, (ops.Input, *ops.OPERATORS))
        ends = [(g.input.op.out_spec.shape, g.output.op.out_spec.shape) for g in (graph, quantized.graph)]
        if ends[0] != ends[1]:
            raise CheckpointError(
                "it is damaged: its integer network has other input or output shapes than its float network"
            )
    return Stored(graph, quantized, _bits(structure.get("bits"), graph))


def _bits(written: object, graph: Graph) -> LayerBits | None:
    if written is None:
        return None
    if not isinstance(written, dict) or not written.keys() <= set(layers_of(graph)):
        raise CheckpointError("it is damaged: it has widths of layers that are not there")
    try:
        return {name: Bits.parse(pair) for name, pair in written.items()}
    except (UsageError, AttributeError):
        raise CheckpointError("it is damaged: a width of weights is not one") from None


def _arrays(table: list, body: memoryview) -> dict[str, np.ndarray]:
    """The arrays a0, a1, … of the table, all sizes checked before anything is unpacked."""
    shapes = [check_shape("an array", entry["shape"]) for entry in table]
    if sum(math.prod(shape) for shape in shapes) > MAX_ELEMENTS:
        raise CheckpointError(f"its arrays unpack to more than {MAX_ELEMENTS:,} numbers")
    arrays: dict[str, np.ndarray] = {}
    at = 0
    for number, (entry, shape) in enumerate(zip(table, shapes)):
        count, *lengths = (entry[key] for key in ("count", "values", "positions"))
        if not all(type(n) is int and n >= 0 for n in (count, *lengths)) or at + sum(lengths) > len(body):
            raise CheckpointError("it is damaged: an array lies outside the file")
        middle, end = at + lengths[0], at + sum(lengths)
        packed = Packed(entry["coding"], count, bytes(body[at:middle]), bytes(body[middle:end]))
        array = unpack(packed, shape, DTYPES[entry["dtype"]])
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise CheckpointError("it holds NaN or infinite values")
        arrays[f"a{number}"] = array
        at = end
    if at != len(body):
        raise CheckpointError("it is damaged: it holds more bytes than its arrays")
    return arrays


def _check_graph(graph: object, kinds: tuple[type, ...]) -> None:
    if not isinstance(graph, Graph) or not all(type(node.op) in kinds for node in graph):
        raise CheckpointError("it is damaged: its network is invalid")
    verify(graph)
    if any(max(node.op.out_spec.shape) > MAX_SIDE for node in graph):
        raise CheckpointError(f"it is damaged: its network has maps of more than {MAX_SIDE} rows, columns or channels")


def _check_layer(name: str, op: Layer) -> None:
    """What the layers do not check themselves: shapes of biases, windows, variances."""
    arrays = [value for value in vars(op).values() if isinstance(value, np.ndarray)]
    sound = all(array.dtype == np.float32 and array.size for array in arrays)
    if isinstance(op, Conv | PenniConv | MaxPool | AvgPool):
        sound &= op.window.fits(op.x.shape) and max(*op.window.stride, *op.window.pads) <= MAX_WINDOW
    if isinstance(op, MaxPool | AvgPool):
        sound &= op.window.overlaps
    if isinstance(op, PadShortcut):
        sound &= op.stride >= 1
    if isinstance(op, Conv | PenniConv | Linear):
        channels = op.out_spec.shape[2]
        sound &= op.bias is None or op.bias.shape == (channels,)
    if isinstance(op, BatchNorm):
        sound &= is_eps(op.eps) and op.var.min() >= 0
    if isinstance(op, Input):
        sound &= all(map(math.isfinite, (*op.mean, *op.std)))
    if not sound:
        raise CheckpointError(f"it is damaged: {name} is inconsistent")
