"""Hostile and broken archives of torch.export: one line of CheckpointError, soon, and nothing of them runs."""

from __future__ import annotations

import copy
import io
import json
import pickle
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from penni_hls.checkpoint import CheckpointError, read
from penni_hls.checkpoint.module import archive

from .hostile import Runs, flipped, refused, soon, survive

Members = dict[str, bytes]


@pytest.fixture(scope="module")
def good() -> Members:
    """The members of an archive of a small network."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with zipfile.ZipFile(io.BytesIO(archive(model, (3, 8, 8)))) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(members: Members, path: Path, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def member(members: Members, end: str) -> str:
    (name,) = (name for name in members if name.endswith(end))
    return name


def edited(members: Members, end: str, change: Callable[[Any], None]) -> Members:
    """The members with the JSON of one changed in place."""
    name = member(members, end)
    value = json.loads(members[name])
    change(value)
    return {**members, name: json.dumps(value).encode()}


PROGRAM, WEIGHTS = "models/model.json", "model_weights_config.json"


def test_the_archive_itself_is_good(good: Members, tmp_path: Path) -> None:
    assert [node.name for node in read(zipped(good, tmp_path / "net.pt2"))] == ["input", "0", "1", "2", "3"]


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "archive/../../outside", "archive\\..\\outside"])
def test_members_outside_of_the_archive(name: str, good: Members, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with zipfile.ZipFile(zipped(good, inside / "net.pt2"), "a") as file:
        info = zipfile.ZipInfo("x")
        info.filename = name
        file.writestr(info, b"evil")
    assert "a member whose path leads out of it" in refused(inside / "net.pt2")
    assert [path.name for path in tmp_path.rglob("*")] == ["inside", "net.pt2"]


def test_compressed_members(good: Members, tmp_path: Path) -> None:
    bomb = {**good, member(good, PROGRAM): b"[" + b" " * (1 << 24) + b"]"}
    assert "compressed" in refused(zipped(bomb, tmp_path / "net.pt2", zipfile.ZIP_DEFLATED))


def test_a_declared_size_that_the_file_has_not(good: Members, tmp_path: Path) -> None:
    path = zipped(good, tmp_path / "net.pt2")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 20 : at + 28] = struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0)  # both sizes in the directory
    path.write_bytes(data)
    assert "members claim more bytes than it has" in refused(path)


@pytest.mark.parametrize(
    "text", [b"[" * 200_000, b'{"graph_module": ' * 100_000, b'{"a": NaN}', b"\xff\xfe", b"", b"[]", b"1" * 10_000]
)
def test_json_that_is_none(text: bytes, good: Members, tmp_path: Path) -> None:
    message = refused(zipped({**good, member(good, PROGRAM): text}, tmp_path / "net.pt2"))
    assert re.search("models/model.json is not (readable JSON|a JSON object)$", message)


def test_deep_nesting_of_parts(good: Members, tmp_path: Path) -> None:
    def nest(program: Any) -> None:
        body = program["graph_module"]["graph"]
        for _ in range(40):
            inner = {**body, "inputs": [], "outputs": []}
            arg = {"name": "", "arg": {"as_graph": {"name": "g", "graph": inner}}, "kind": 1}
            call = {
                "target": "torch.ops.higher_order.wrap_with_autocast",
                "inputs": [arg],
                "outputs": [],
                "metadata": {},
            }
            body = {**body, "nodes": [call]}
        program["graph_module"]["graph"] = body

    assert "nested too deeply" in refused(zipped(edited(good, PROGRAM, nest), tmp_path / "net.pt2"))


@pytest.mark.parametrize("sizes", [[1 << 40, 3, 3, 3], [4, 3, 3, 1 << 62], [-4, 3, 3, -3], [0, 3, 3, 3], [1] * 20])
def test_absurd_sizes(sizes: list[int], good: Members, tmp_path: Path) -> None:
    def grow(config: Any) -> None:
        meta = config["config"]["0.weight"]["tensor_meta"]
        meta["sizes"] = [{"as_int": n} for n in sizes]
        meta["strides"] = [{"as_int": 0}] * len(sizes)

    assert refused(zipped(edited(good, WEIGHTS, grow), tmp_path / "net.pt2")).startswith("0.weight ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("storage_offset", {"as_int": 1 << 50}),
        ("storage_offset", {"as_int": -1}),
        ("strides", [{"as_int": 1 << 50}] * 4),
        ("strides", [{"as_int": -1}] * 4),
        ("dtype", 99),
        ("dtype", "float"),
        ("dtype", []),
        ("layout", 1),
    ],
)
def test_views_that_leave_their_storage(key: str, value: Any, good: Members, tmp_path: Path) -> None:
    def change(config: Any) -> None:
        config["config"]["0.weight"]["tensor_meta"][key] = value

    refused(zipped(edited(good, WEIGHTS, change), tmp_path / "net.pt2"))


def test_expressions_are_not_evaluated(good: Members, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    evil = {"as_expr": {"expr_str": f"__import__('os').system('touch {target}')", "hint": {"as_int": 8}}}

    def everywhere(program: Any) -> None:
        graph = program["graph_module"]["graph"]
        for meta in graph["tensor_values"].values():
            meta["sizes"] = [evil] * len(meta["sizes"])
        program["guards_code"] = [evil["as_expr"]["expr_str"]]
        program["range_constraints"] = {evil["as_expr"]["expr_str"]: {"min_val": 0, "max_val": 9}}

    message = refused(zipped(edited(good, PROGRAM, everywhere), tmp_path / "net.pt2"))
    assert "symbolic height, width or number of channels" in message

    def of_a_weight(config: Any) -> None:
        config["config"]["0.weight"]["tensor_meta"]["sizes"][0] = evil

    message = refused(zipped(edited(good, WEIGHTS, of_a_weight), tmp_path / "net.pt2"))
    assert "a size is symbolic; only the batch may be open" in message
    assert not target.exists()


def test_pickles_within_are_left_alone(good: Members, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    evil = pickle.dumps(Runs(target))
    buffer = io.BytesIO()
    torch.save({"0.weight": Runs(target)}, buffer)
    samples = {member(good, "sample_inputs/model.pt"): evil}
    read(zipped({**good, **samples}, tmp_path / "samples.pt2"))  # not looked at

    def pickled(config: Any) -> None:
        config["config"]["0.weight"]["use_pickle"] = True

    changed = edited(good, WEIGHTS, pickled)
    changed[member(changed, "weights/weight_0")] = evil
    assert "0.weight is a pickled object, which could run code" in refused(zipped(changed, tmp_path / "weight.pt2"))

    def custom(program: Any) -> None:
        spec = {"custom_obj": {"arg": {"name": "obj", "class_fqn": "x"}, "custom_obj_name": "obj"}}
        program["graph_module"]["signature"]["input_specs"].append(spec)

    assert "custom objects, which could run code" in refused(
        zipped(edited(good, PROGRAM, custom), tmp_path / "obj.pt2")
    )
    top = member(good, PROGRAM).removesuffix(PROGRAM)
    old = {name: data for name, data in good.items() if "/weights/" not in name}
    old[f"{top}data/weights/model.pt"] = buffer.getvalue()
    assert "system, which could run code" in refused(zipped(old, tmp_path / "old.pt2"))
    assert not target.exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none(value: float, good: Members, tmp_path: Path) -> None:
    name = member(good, "weights/weight_0")
    data = good[name][:-4] + struct.pack("<f", value)
    message = refused(zipped({**good, name: data}, tmp_path / "net.pt2"))
    assert message == "0 (nn.Conv2d): 0.weight holds NaN or infinite values"


def test_a_storage_outside_of_its_folder(good: Members, tmp_path: Path) -> None:
    def elsewhere(config: Any) -> None:
        config["config"]["0.weight"]["path_name"] = "../../models/model.json"

    assert "an invalid member name" in refused(zipped(edited(good, WEIGHTS, elsewhere), tmp_path / "net.pt2"))


def test_control_characters_stay_out_of_messages(good: Members, tmp_path: Path) -> None:
    def rename(program: Any) -> None:
        node = program["graph_module"]["graph"]["nodes"][0]
        node["target"], node["name"] = "torch.ops.evil\n\x1b[31m.op", "x\n" * 5000

    message = refused(zipped(edited(good, PROGRAM, rename), tmp_path / "net.pt2"))
    assert "this operation is not supported" in message and message.isprintable()


def test_parts_of_the_program_missing_or_of_another_kind(good: Members, tmp_path: Path) -> None:
    """Every entry of the JSON, one after the other, replaced: read, or refused in one line."""
    name, path = member(good, PROGRAM), tmp_path / "net.pt2"
    program = json.loads(good[name])

    def places(value: Any, at: tuple = ()) -> Iterator[tuple]:
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            if key not in ("module_call_graph", "stack_trace", "device"):
                yield (*at, key)
                yield from places(value[key], (*at, key))

    every = list(places(program))
    refused = 0
    with soon():
        for number, at in enumerate(every[::2]):
            changed = copy.deepcopy(program)
            parent = changed
            for key in at[:-1]:
                parent = parent[key]
            parent[at[-1]] = (None, -1, [], {}, "x", 1 << 70, {"as_int": "1"})[number % 7]
            zipped({**good, name: json.dumps(changed).encode()}, path)
            try:
                read(path)
            except CheckpointError as error:
                refused += "\n" not in str(error)
    assert refused > len(every) // 8


@pytest.mark.parametrize("keep", [0.01, 0.3, 0.7, 0.999])
def test_a_truncated_archive(keep: float, good: Members, tmp_path: Path) -> None:
    path = zipped(good, tmp_path / "net.pt2")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    assert "damaged" in (message := refused(path)) or "truncated" in message


def test_random_bytes_changed_in_an_archive(good: Members, tmp_path: Path) -> None:
    data = zipped(good, tmp_path / "net.pt2").read_bytes()
    survive(tmp_path / "net.pt2", (flipped(data, seed) for seed in range(150)))
