"""model.json and model.npz: the only place that knows what they hold. Written by `encode`, read by `load` and `decode`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import ProjectError
from ..ir import vocabulary
from ..ir.graph import Graph, GraphError, verify
from ..ir.layers.base import FloatLayer
from ..ir.ops.base import Operator
from ..ir.serialize import Codec, from_npz, to_json, to_npz
from ..schedule import Link, Prediction, Proof, Schedule
from ..target.boards import Board, Usable

FORMAT, VERSION = "penni-hls project", 5
MOST_PARALLEL = 1024  # pixels or lanes of any folding
MANIFEST, ARRAYS = "model.json", "model.npz"
INTEGER = Codec((Schedule, *vocabulary.FOLDINGS, Link, Prediction, Proof, Board, Usable, *vocabulary.INTEGER))
FLOAT = Codec(vocabulary.FLOAT)

Bundle = Mapping[str, bytes]


@dataclass(frozen=True, eq=False)
class Model:
    """What a project is made of. schedule: the integer network, planned; float_graph: the network it was made from.

    logit_scale: what one step of the results is worth. notes: for the user. made_by: versions by tool. source: the
    checkpoint. options: those that `generate` was given. ports: those of the top, as plain data. digest: of the design, as
    the accelerator's registers tell it.
    """

    name: str
    schedule: Schedule
    float_graph: Graph
    logit_scale: float
    notes: tuple[str, ...]
    made_by: dict[str, str]
    source: dict[str, Any]
    options: dict[str, Any]
    ports: tuple[dict[str, Any], ...]
    digest: str


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def encode(model: Model, files: Bundle) -> Bundle:
    """`files` and the model: its arrays, and the manifest that names everything."""
    arrays: dict[str, np.ndarray] = {}
    encoded = {"schedule": INTEGER.encode(model.schedule, arrays), "float": FLOAT.encode(model.float_graph, arrays)}
    complete = {**files, ARRAYS: to_npz(arrays)}
    spec, out = (node.op.out_spec for node in (model.schedule.graph.input, model.schedule.graph.output))
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "name": model.name,
        "digest": model.digest,
        "made_by": {"penni-hls": __version__, **model.made_by},
        "source": model.source,
        "options": model.options,
        "notes": list(model.notes),
        "input": {"shape": list(spec.shape), "type": str(spec.qtype), "order": "NHWC"},
        "output": {
            "classes": out.shape[2] if out.pixels == 1 else None, "shape": list(out.shape), "type": str(out.qtype),
            "logit_scale": model.logit_scale,
        },
        "ports": list(model.ports),
        "performance": performance(model.schedule),
        "layers": layers(model.schedule),
        **encoded,
        "files": {path: digest(complete[path]) for path in sorted(complete)},
    }  # fmt: skip
    return {**complete, MANIFEST: to_json(manifest)}


def load(directory: Path) -> dict[str, Any] | None:
    """The manifest in `directory`; None where there is none that penni-hls wrote."""
    try:
        text = (directory / MANIFEST).read_bytes()
        manifest = json.loads(text, parse_int=_small, parse_constant=_not_finite)
    except (OSError, ValueError, RecursionError):
        return None
    return manifest if isinstance(manifest, dict) and manifest.get("format") == FORMAT else None


def _small(digits: str) -> int:
    if abs(number := int(digits)) >= 1 << 62:
        raise ValueError(f"{number} is not a number of a project")
    return number


def _not_finite(name: str) -> float:
    raise ValueError(f"{name} is not a number of a project")


def files_of(manifest: dict[str, Any]) -> dict[str, str]:
    """The digest of every file of the project but the manifest, by its path; {} where a manifest was damaged."""
    files = manifest.get("files")
    return files if isinstance(files, dict) and all(isinstance(value, str) for value in files.values()) else {}


def decode(manifest: dict[str, Any], directory: Path) -> tuple[Schedule, Graph]:
    """The integer network, planned, and the float network; ProjectError where manifest or arrays are damaged."""
    if manifest.get("version") != VERSION:
        raise ProjectError(f"project format {manifest.get('version')}, this penni-hls reads {VERSION}")
    try:
        data = (directory / ARRAYS).read_bytes()
        if digest(data) != files_of(manifest)[ARRAYS]:
            raise ProjectError(f"{ARRAYS} is not the one that was generated (its digest differs)")
        arrays = from_npz(data)
        schedule = INTEGER.decode(manifest["schedule"], arrays)
        float_graph = FLOAT.decode(manifest["float"], arrays)
        if not isinstance(schedule, Schedule) or not isinstance(float_graph, Graph):
            raise ProjectError("it holds no schedule, or no float network")
        _check_contents(manifest, schedule, float_graph)
        verify(schedule.graph)
        verify(float_graph)
    except OSError as error:
        raise ProjectError(f"{ARRAYS}: {error.strerror}") from None
    except GraphError as error:
        raise ProjectError(str(error)) from None
    except (ValueError, TypeError, AttributeError, IndexError, ArithmeticError) as error:  # of numbers out of range
        raise ProjectError(f"{MANIFEST} does not hold together: {error}") from None
    except KeyError as error:
        raise ProjectError(f"{MANIFEST} lacks {error}") from None
    return schedule, float_graph


def _check_contents(manifest: dict[str, Any], schedule: Schedule, float_graph: Graph) -> None:
    """ProjectError where a part of the manifest is of the wrong kind, or the parts do not belong together."""
    for key, kind in (("name", str), ("notes", list), ("performance", dict), ("layers", list), ("options", dict)):
        if not isinstance(manifest[key], kind):
            raise ProjectError(f"{MANIFEST}: {key} is no {kind.__name__}")
    if not all(isinstance(note, str) for note in manifest["notes"]):
        raise ProjectError(f"{MANIFEST}: a note is no text")
    for graph, kind in ((schedule.graph, Operator), (float_graph, FloatLayer)):
        if not graph.nodes or not all(isinstance(node.op, kind) for node in graph.nodes):
            raise ProjectError(f"{MANIFEST}: a network holds something that is no {kind.__name__}")
    names = {node.name for node in schedule.graph.nodes}
    for node in schedule.graph.nodes:
        folding = schedule.foldings.get(node.name)
        if type(folding) is not type(node.op.folding()) or not all(
            1 <= n <= MOST_PARALLEL for n in (folding.q, folding.p)
        ):
            raise ProjectError(f"{MANIFEST}: {node.name} has no folding, or not one of its kind")
    if schedule.foldings.keys() != names or not all({link.src, link.dst} <= names for link in schedule.links):
        raise ProjectError(f"{MANIFEST}: a folding or a link names an operator that is not there")


def performance(schedule: Schedule) -> dict:
    """What the schedule promises, for manifests and scripts."""
    return {
        "cycles_per_image": schedule.cycles_per_image,
        "latency": schedule.prediction.latency,
        "hls": _in_hls(schedule),
        "slowest": schedule.slowest,
        "mac_bound": round(schedule.mac_bound, 1),
        "stream_bound": schedule.stream_bound,
        "clock_mhz": schedule.board.clock_mhz,
        "images_per_second": round(schedule.images_per_second, 1),
        "mac_lanes": schedule.multipliers,
        "resources": _rounded(schedule.total.as_dict()),
        "proof": asdict(schedule.proof),
        "shortfalls": {lack.resource: round(lack.needed - lack.available, 1) for lack in schedule.shortfalls},
    }


def _in_hls(schedule: Schedule) -> dict | None:
    """The same of the C++, as Vitis HLS is expected to build it."""
    found = schedule.in_hls
    return None if found is None else {"cycles_per_image": found.cycles_per_image, "latency": found.latency}


def layers(schedule: Schedule) -> list[dict]:
    """One entry per operator: what it is, how it is folded, what it costs."""
    return [
        {
            "name": node.name,
            "operator": node.op.kind,
            "output": list(node.op.out_spec.shape),
            "type": str(node.op.out_spec.qtype),
            "weight_bits": node.op.weight_bits,
            "q": schedule.foldings[node.name].q,
            "p": schedule.foldings[node.name].p,
            "folding": schedule.foldings[node.name].choices(),
            "cycles": schedule.cycles[node.name],
            "first_image": list(schedule.prediction.spans[node.name]),
            **_rounded(schedule.resources[node.name].as_dict()),
        }
        for node in schedule.instances
    ]


def _rounded(resources: dict[str, float]) -> dict[str, float]:
    return {name: round(float(value), 1) for name, value in resources.items()}
