"""ONNX files -> a traced network, of any architecture within the vocabulary. Weights lie in the file or beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import google.protobuf.message
import numpy as np
import onnx
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, numpy_helper

from ..errors import CheckpointError
from .files import check_size
from .onnx_data import MAX_BYTES, bring_in
from .tensors import check_shape
from .traced.advice import kind_of
from .traced.build import Traced, build
from .traced.onnx_ops import FLOATS, INTEGERS, Operation, translate
from .traced.program import MAX_CALLS, OPEN_BATCH, Call, Constant, Program, Ref, check_input, printable

NAME = "ONNX"
OLDEST = 7  # of the opsets
DOMAINS = ("", "ai.onnx")
NEXT_FIELDS = b"\x12\x1a\x22\x28\x32\x3a\x42"  # tags of ModelProto that may follow its first
DAMAGED = "it is damaged, or not an ONNX file"
SCOPES = "pkg.torch.onnx.name_scopes"
CLASSES = "pkg.torch.onnx.class_hierarchy"
EXTERNAL = (
    "a constant of a node lies in another file; write the model as one (torch.onnx.export(..., external_data=False))"
)


def recognises(path: Path, head: bytes) -> bool:
    """By its suffix, or as a message that begins with a small version number."""
    begins = len(head) > 2 and head[0] == 0x08 and 3 <= head[1] < 64 and head[2] in NEXT_FIELDS
    return path.suffix == ".onnx" or begins


def traced(path: Path, mean: tuple[float, ...] | None = None, std: tuple[float, ...] | None = None) -> Traced:
    """The network in the file. mean, std: of the pixels; None: see `traced.program.normalisation`."""
    check_size(path.stat().st_size, MAX_BYTES)
    return build(read(path.read_bytes(), path.parent), mean, std)


def read(data: bytes, folder: Path | None = None) -> Program:
    """The program in the bytes of a file; folder: where it may keep weights in files of their own."""
    try:
        model = ModelProto.FromString(data)
    except google.protobuf.message.DecodeError as error:
        raise CheckpointError(DAMAGED) from error
    try:
        if folder:
            bring_in(model, folder)
        _check(model)
        return _program(model)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:  # UnicodeDecodeError is a ValueError
        raise CheckpointError(DAMAGED) from error


def _check(model: ModelProto) -> None:
    """What must hold before anything is read."""
    if not model.HasField("graph") or not model.graph.node:
        raise CheckpointError(DAMAGED)
    if len(model.graph.node) > MAX_CALLS or len(model.graph.initializer) > MAX_CALLS:
        raise CheckpointError(f"it has more than {MAX_CALLS:,} nodes or weights")
    if not all(isinstance(text, str) for text in _texts(model)):  # what is no UTF-8 comes as bytes
        raise CheckpointError(DAMAGED)
    if any(_external(tensor) for tensor in _tensors(model)):
        raise CheckpointError(EXTERNAL)
    opset = next((o.version for o in model.opset_import if o.domain in DOMAINS), 0)
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST <= opset <= newest:
        raise CheckpointError(f"it uses opset {opset}; {OLDEST} to {newest} are read")
    if any(function.domain in DOMAINS for function in model.functions):
        raise CheckpointError("it redefines operations of ONNX")
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()
        raise CheckpointError(f"it is not valid ONNX: {printable(reason[0] if reason else '', 240)}") from error


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every tensor of the graph; those within subgraphs are never read."""
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _texts(model: ModelProto) -> Iterator[str]:
    """Every name that is read."""
    for value in (*model.graph.input, *model.graph.output, *_tensors(model)):
        yield value.name
    for node in model.graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
        yield from (text for entry in node.metadata_props for text in (entry.key, entry.value))


def _external(tensor: TensorProto) -> bool:
    return tensor.data_location == TensorProto.EXTERNAL or bool(tensor.external_data)


def _program(model: ModelProto) -> Program:
    constants = {tensor.name: _constant(tensor) for tensor in model.graph.initializer}
    given = [value for value in model.graph.input if value.name not in constants]
    if len(given) != 1 or len(model.graph.output) != 1:
        raise CheckpointError(
            f"it has {len(given)} inputs and {len(model.graph.output)} outputs;"
            " one of each, images and logits, is needed"
        )
    batch, shape = _image_shape(given[0])
    calls: list[Call] = []
    for node in model.graph.node:
        if node.op_type == "Constant" and node.domain in DOMAINS:
            if len(node.output) == 1:
                constants[node.output[0]] = _constant_node(node)
        elif node.output:
            calls += _calls(node, constants)
    return Program(given[0].name, shape, batch, model.graph.output[0].name, tuple(calls), constants)


def _constant(tensor: TensorProto) -> Constant:
    """An initializer as float32 or int64. Its length is checked against its data before it is made."""
    name = printable(tensor.name or "a constant")
    kind = tensor.data_type
    if kind not in FLOATS and kind not in (*INTEGERS, TensorProto.BOOL):
        return Constant(np.empty(0), tensor.name)  # such as text: nothing that is supported reads it
    count = math.prod(check_shape(name, tuple(tensor.dims)))
    fields = (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data, tensor.uint64_data)
    have = len(tensor.raw_data) // _width(kind) if tensor.HasField("raw_data") else max(map(len, fields))
    if have != count or tensor.HasField("segment"):
        raise CheckpointError(f"{name} has shape {list(tensor.dims)}, but {have} numbers")
    values = numpy_helper.to_array(tensor)
    with np.errstate(over="ignore"):  # what becomes infinite is refused where it is used
        return Constant(values.astype(np.float32 if kind in FLOATS else np.int64), tensor.name)


def _width(kind: int) -> int:
    return onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize


def _constant_node(node: NodeProto) -> Constant:
    for attribute in node.attribute:
        if attribute.name == "value":
            return Constant(_constant(attribute.t).array, node.output[0])
        if attribute.name in ("value_int", "value_ints", "value_float", "value_floats"):
            value = np.asarray(_attribute(attribute))
            return Constant(value.astype(np.int64 if "int" in attribute.name else np.float32), node.output[0])
    return Constant(np.empty(0), node.output[0])  # text or sparse: nothing that is supported reads it


def _attribute(attribute: AttributeProto) -> Any:
    """Its value as number, text, tuple or constant; None for what no supported operation takes."""
    match attribute.type:
        case AttributeProto.INT:
            return attribute.i
        case AttributeProto.FLOAT:
            return attribute.f
        case AttributeProto.STRING:
            return attribute.s.decode("utf-8", "replace")
        case AttributeProto.INTS:
            return tuple(attribute.ints)
        case AttributeProto.FLOATS:
            return tuple(attribute.floats)
        case AttributeProto.TENSOR:
            return _constant(attribute.t)
    return None


def _image_shape(value: onnx.ValueInfoProto) -> tuple[int, tuple[int, int, int]]:
    """(batch, (C, H, W)) of the images. Only the batch may be open."""
    tensor = value.type.tensor_type
    if tensor.elem_type not in FLOATS or not tensor.HasField("shape"):
        raise CheckpointError(f"its input {printable(value.name)} is not a float tensor with a shape")
    sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    if None in sizes[1:]:
        raise CheckpointError(f"its input {printable(value.name)} has an open height, width or number of channels")
    lengths = tuple(OPEN_BATCH if n is None else n for n in sizes)
    return (lengths[0] if lengths else 0), check_input(value.name, lengths)


def _calls(node: NodeProto, constants: Mapping[str, Constant]) -> Iterator[Call]:
    """The call of a node; two where it also adds a bias."""
    attributes = {attribute.name: _attribute(attribute) for attribute in node.attribute}
    known = node.domain in DOMAINS
    what = node.op_type if known else f"{node.domain}.{node.op_type}"
    op = Operation(node.op_type if known else "", tuple(node.input), node.output[0], attributes, constants)
    label, module = printable(node.name or node.output[0]), _module(node)
    call = Call("unknown", op.output, {}, printable(what), label, module, kind=_kind(node))
    try:
        name, args = translate(op)
    except CheckpointError as error:
        raise CheckpointError(f"{printable(call.where)}: {error}") from error
    except KeyError as error:
        raise CheckpointError(f"{printable(call.where)}: {error.args[0]} is missing") from error
    bias = op.input(2) if op.type == "Gemm" else None
    output = op.output if bias is None else f"{op.output} without bias"
    yield replace(call, op=name, output=output, args=args)
    yield from (replace(call, output=further) for further in node.output[1:] if further)  # what reads these is refused
    if bias is not None:
        yield replace(call, op="add", args={"x": Ref(output), "y": bias})


def _kind(node: NodeProto) -> str:
    """What the author called it, where torch.onnx.export noted it: classes of modules, then `aten.silu.default`."""
    classes = next((p.value for p in node.metadata_props if p.key == CLASSES), "")
    *modules, function = re.findall(r"'([^']*)'", classes) or [""]
    return printable(kind_of(modules[-1] if modules else "", function), 60)


def _module(node: NodeProto) -> str | None:
    """The path of the module that made the node, where torch.onnx.export noted it; None where it did not."""
    scopes = next((p.value for p in node.metadata_props if p.key == SCOPES), None)
    if scopes is not None:
        parts = re.findall(r"'([^']*)'", scopes)
        return parts[-2] if len(parts) > 1 else None
    if not node.name.startswith("/"):
        return None
    path: list[str] = []
    for part in node.name.split("/")[1:-1]:  # /layer1/layer1.0/conv1/Conv: children of a Sequential repeat its name
        if path and part.startswith(f"{path[-1]}."):
            path.pop()
        path.append(part)
    return ".".join(path)
