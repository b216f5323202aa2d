"""Widths of weights, chosen layer by layer: as narrow as the agreement with the float network allows.

What narrower weights of one layer add to the mean square error of the logits is estimated as (the error that they add to
the layer's own sums) x (the layer's gain), the gain measured by running the integer network with that layer alone at
PROBE bits. From 8 bits everywhere one layer after the other is narrowed by one width, always where a bit of hardware
that is saved costs the least error. Where on this path to stop is found by bisection, on the whole integer network.

How many images change their top-1 grows with the root of that error. Counting them takes many images, the error does
not. So the drop is estimated from the error and from how many change with 8 bits, and where there are images of the
task it is counted as well: neither may exceed what is allowed. Noise tells nothing of how near real images are to
changing, and may leave the ranges of the activations, so that the error at 8 bits is too large: without images, an
ordinary network is assumed.

Every number on which a decision rests is the same on every machine: see `exact`.
"""

from __future__ import annotations

import math
import os
from bisect import bisect_right
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ..accuracy import misses, predict_integer
from ..ir.bits import RANGE, Bits
from ..ir.blas import one_thread
from ..ir.fixed import IntTensor
from ..ir.graph import Graph, Node
from ..ir.interpreter import run
from ..ir.ops.base import Operator
from .activation_range import steady
from .layer import WeightLayer
from .quantizer import Quantizer

MAX_DROP = 0.5
WIDEST = Bits()
PROBE = 4  # bits of coefficients at which a layer's gain is measured
PROBE_PIXELS = 1 << 15  # of the images on which errors are: 32 of 32x32
LEAST_PROBES = 4
TAP_BITS = 200  # bits of program memory that are worth one bit of one tap: 2 LUTs, of which a device has 97 bits each
USUAL = (4, 256)  # of 256 images, 4 change with 8 bits everywhere: counts as much as 256 images
ORDINARY = 0.01  # error of logits with 8 bits everywhere, of their variance: it was 0.002 to 0.014 on images
STOPS = tuple(2.0 ** (i / 4) for i in range(-16, 5))  # errors at which a path is looked at, in those that are allowed

Choice = dict[str, Bits]


@dataclass(frozen=True)
class Chosen:
    """bits: of every layer. images: how many were looked at; noise: whether they are made up. Of these images the largest
    logit is where the float network has it: `before` percent with 8 bits everywhere, `after` percent with `bits`.
    estimate: the drop in points, by the error of the logits."""

    bits: Choice
    images: int
    noise: bool
    max_drop: float
    estimate: float
    before: float
    after: float

    def as_dict(self) -> dict[str, Any]:
        """All but the widths, for manifests."""
        return {
            "images": self.images, "source": "noise" if self.noise else "calibration", "max_drop": self.max_drop,
            "estimated_drop": round(self.estimate, 2), "agreement": round(self.after, 2),
            "agreement_8_bits": round(self.before, 2),
        }  # fmt: skip

    @property
    def note(self) -> str:
        source = "images of noise, for want of calibration images" if self.noise else "calibration images"
        allowed = "only the estimate was" if self.noise else "both were"
        return (
            f"bits of weights chosen on {self.images} {source}: top-1 agrees with the float network's on"
            f" {self.after:.2f} %, with 8 bits everywhere on {self.before:.2f} %; the error of the logits lets expect"
            f" {self.estimate:.2f} points less ({allowed} held to --max-drop {self.max_drop:g})"
        )


@dataclass(frozen=True, eq=False)
class Study:
    """What narrower weights do to a network. images: those on which the top-1 is compared; top: that of the float network;
    before: of how many it differs with 8 bits everywhere; share: of how many it would, of many images."""

    quantizer: Quantizer
    images: np.ndarray
    top: np.ndarray
    before: int
    share: float
    meter: Meter

    @staticmethod
    def of(quantizer: Quantizer) -> Study | None:
        """None where the network has no classes to agree on, or no weights."""
        layers, noise = quantizer.layers, quantizer.batch.synthetic
        graph = quantizer.graph(dict.fromkeys(layers, WIDEST))
        classes = graph.output.op.out_spec
        if classes.pixels > 1 or classes.shape[2] < 2 or not layers:
            return None
        h, w, _ = graph.input.op.out_spec.shape
        probes = max(LEAST_PROBES, PROBE_PIXELS // (h * w))
        images = quantizer.batch.images[: probes if noise else None]
        wanted = quantizer.float_logits(len(images))
        top = wanted.argmax(axis=1)
        before = misses(partial(predict_integer, graph), images, top)
        share = USUAL[0] / USUAL[1] if noise else (before + USUAL[0]) / (len(images) + USUAL[1])
        meter = Meter(graph, images[:probes], wanted[:probes], quantizer.logit_scale)
        return Study(quantizer, images, top, before, share, meter)

    @property
    def noise(self) -> bool:
        return self.quantizer.batch.synthetic

    def allowed(self, max_drop: float) -> float:
        """The mean square error of the logits that may be added."""
        return self.own * ((1 + max_drop / 100 / self.share) ** 2 - 1)

    @property
    def own(self) -> float:
        """The mean square error of the logits with 8 bits everywhere."""
        return min(self.meter.own, ORDINARY * self.meter.variance) if self.noise else self.meter.own

    def drop(self, bits: Choice) -> float:
        """In points, by the error of the logits."""
        if not self.own:
            return 0.0
        added = max(0.0, self.meter.error(self.quantizer.graph(bits)) - self.meter.own)
        return 100 * self.share * (math.sqrt(1 + added / self.own) - 1)

    def most(self, max_drop: float) -> int:
        """Of how many images the top-1 may differ."""
        return self.before + int(max_drop * len(self.images) / 100)

    def changed(self, bits: Choice, most: int | None = None) -> int:
        """Of how many images the top-1 differs; counted no further than just above `most`."""
        return misses(partial(predict_integer, self.quantizer.graph(bits)), self.images, self.top, most=most)

    def chosen(self, bits: Choice, max_drop: float, after: int) -> Chosen:
        agree = [100 * (1 - wrong / len(self.images)) for wrong in (self.before, after)]
        return Chosen(bits, len(self.images), self.noise, max_drop, max(0.0, self.drop(bits)), *agree)


def choose(quantizer: Quantizer, max_drop: float = MAX_DROP) -> Chosen | None:
    """The narrowest widths on the path; None where the network has no classes to agree on, or no weights.

    max_drop: by how many points the agreement of top-1 with the float network may be below that at 8 bits everywhere.
    """
    study = Study.of(quantizer)
    if study is None:
        return None
    stops = _stops(quantizer.layers, study.meter, study.allowed(max_drop))
    last = bisect_right(range(1, len(stops)), False, key=lambda index: study.drop(stops[index]) > max_drop)
    most = study.most(max_drop)
    after = study.changed(stops[last], None if study.noise else most)
    while after > most and last and not study.noise:
        last = max(0, last - 2)
        after = study.changed(stops[last], most)
    return study.chosen(stops[last], max_drop, after)


def _stops(layers: dict[str, WeightLayer], meter: Meter, allowed: float) -> list[Choice]:
    """The widths at the places of the path where it is looked at, 8 bits everywhere first. allowed: added error."""
    with one_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda layer: _steps(layer, meter.gain(layer)), layers.values())
        steps = [(step, name) for name, several in zip(layers, found) for step in several]
    path = sorted(steps, key=lambda pair: pair[0].price)  # stable: of one price in the network's order, wider first
    errors = np.cumsum([step.error for step, _ in path]).tolist()
    ends = sorted({bisect_right(errors, allowed * stop) for stop in STOPS} - {0})
    bits: Choice = dict.fromkeys(layers, WIDEST)
    stops = [dict(bits)]
    for start, end in zip([0, *ends], ends):
        for step, name in path[start:end]:
            bits[name] = replace(bits[name], **{step.of: step.bits})
        stops.append(dict(bits))
    return stops


@dataclass(frozen=True)
class _Step:
    """The bases or the coefficients (of: a field of Bits) of one layer become one bit narrower: the error that this adds
    to the logits, and its price, error per bit of memory saved; no step is cheaper than the one before it."""

    of: str
    bits: int
    error: float
    price: float


def _steps(layer: WeightLayer, gain: float) -> list[_Step]:
    steps = []
    kinds = [("coefs", layer.coef_error, layer.weights)]
    if layer.has_bases:
        kinds.append(("basis", layer.basis_error, layer.taps * TAP_BITS))
    for of, error_of, saved in kinds:
        price, wider = 0.0, steady(error_of(max(RANGE)))
        for bits in reversed(RANGE[:-1]):
            error = steady(error_of(bits))
            added = max(0.0, error - wider) * gain
            price, wider = max(price, added / max(saved, 1)), error
            steps.append(_Step(of, bits, added, price))
    return steps


class Meter:
    """Measures errors of the logits on some images. graph: the integer network at 8 bits everywhere; own: its error;
    variance: of the float network's logits.
    wanted: the float network's logits; unit: of the integer ones."""

    def __init__(self, graph: Graph[Operator], images: np.ndarray, wanted: np.ndarray, unit: float) -> None:
        self._graph, self._images, self._wanted, self._unit = graph, images, wanted, unit
        with one_thread():
            self._values = run(graph, images)
        self._plain = _logits(self._values[graph.output.name])
        self.own = self._square(self._plain * self._unit - self._wanted)
        self.variance = steady(float(wanted.var()))

    def error(self, graph: Graph[Operator]) -> float:
        """The mean square error of an integer network's logits, against the float network's."""
        parts = np.array_split(self._images, min(len(self._images), os.cpu_count() or 1))
        with one_thread(), ThreadPoolExecutor(len(parts)) as pool:
            found = list(pool.map(partial(predict_integer, graph), parts))
        return self._square(np.concatenate(found) * self._unit - self._wanted)

    def gain(self, layer: WeightLayer) -> float:
        """What error of the layer's sums adds to that of the logits."""
        error = layer.coef_error(PROBE)
        changed = _logits(_rerun(self._graph, self._values, layer.nodes(Bits(coefs=PROBE))))
        return self._square((changed - self._plain) * self._unit) / error if error else 0.0

    @staticmethod
    def _square(errors: np.ndarray) -> float:
        return steady(float(np.square(errors).mean()))


def _rerun(graph: Graph[Operator], values: dict[str, IntTensor], changed: tuple[Node, ...]) -> IntTensor:
    """The result with some nodes changed; values: of all nodes before. Only what follows from the change is computed."""
    others = {node.name: node for node in changed if node is not graph.by_name[node.name]}
    new: dict[str, IntTensor] = {}
    for node in graph:
        if node.name in others or any(name in new for name in node.inputs):
            op = others.get(node.name, node).op
            new[node.name] = op.reference(*(new.get(name, values[name]) for name in node.inputs))
    return new.get(graph.output.name, values[graph.output.name])


def _logits(result: IntTensor) -> np.ndarray:
    return result.values.reshape(len(result.values), -1).astype(np.float64)
