"""Bits of weights chosen together with the foldings of a board: as many images a second as an allowed drop lets it do.

`quantize.choose` narrows weights where a bit of memory costs the least error, whatever the board is short of. Here each
layer is planned at every width of VARIANTS, and one program chooses widths and foldings (`schedule.widths`). It takes
minutes, so what it finds is best stored (`penni-hls export --quantize`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from ..ir.bits import Bits
from ..ir.graph import Graph
from ..ir.ops.base import Operator
from ..passes.narrow_coefs import narrow_coefs
from ..quantize.activation_range import steady
from ..quantize.choose import WIDEST, Choice, Chosen, Study
from ..quantize.layer import WeightLayer
from ..quantize.quantizer import Quantizer
from ..schedule import options, plan
from ..schedule.links import shortest
from ..schedule.stages import Known, row
from ..schedule.widths import Variant, fewest
from ..target.boards import Board

VARIANTS = tuple(Bits(*pair) for pair in itertools.product((8, 6, 5, 4, 3), (8, 6, 5, 4, 3)))
ROUNDS = 8  # of choosing, then seeing what the drop is and what FIFOs need
TIGHTER = 0.85  # times the error that was allowed, where the drop turns out to be more

Stage = Callable[[str], None]


def choose_for_board(quantizer: Quantizer, board: Board, max_drop: float, stage: Stage) -> Chosen | None:
    """None where the network has no classes to agree on, or where nothing fits. max_drop: as for `choose`."""
    study = Study.of(quantizer)
    if study is None:
        return None
    layers, known = quantizer.layers, Known()
    gains = {name: study.meter.gain(layer) for name, layer in layers.items()}
    owner = {node.name: name for name, layer in layers.items() for node in layer.nodes(WIDEST)}
    stages: dict[tuple[str, ...], list[Variant]] = {}
    for number, bits in enumerate(VARIANTS):
        stage(f"planning at {bits} bits ({number + 1} of {len(VARIANTS)})")
        for offered in options(_graph(quantizer, dict.fromkeys(layers, bits)), board.fabric, known):
            names = {owner[node] for node in offered.nodes if node in owner}
            added = sum(_error(layers[name], bits) * gains[name] for name in names)
            stages.setdefault(offered.nodes, []).append(Variant(offered.cycles, offered.cost, added))
    stage("choosing bits and foldings")
    budget, fifos = row(board.plan_budget), row(shortest(_graph(quantizer, dict.fromkeys(layers, WIDEST))))
    allowed, best, fewest_cycles = study.allowed(max_drop), None, np.inf
    for _ in range(ROUNDS):
        found = fewest(tuple(stages.values()), budget - fifos, allowed, study.own)
        if found is None:
            break
        picked = {node: VARIANTS[pick] for nodes, pick in zip(stages, found.picks) for node in nodes}
        widths: Choice = {owner[node]: bits for node, bits in picked.items() if node in owner}
        after = study.changed(widths)
        if study.drop(widths) > max_drop or (after > study.most(max_drop) and not study.noise):
            allowed *= TIGHTER
            continue
        schedule = plan(_graph(quantizer, widths), board)
        if schedule.fits and schedule.cycles_per_image < fewest_cycles:
            best, fewest_cycles = study.chosen(widths, max_drop, after), schedule.cycles_per_image
        needed = sum((row(link.cost()) for link in schedule.links), np.zeros(len(fifos)))
        if (needed <= fifos).all():
            break
        fifos = np.maximum(fifos, needed)
    return best


def _graph(quantizer: Quantizer, bits: Choice) -> Graph[Operator]:
    return narrow_coefs(quantizer.quantized(bits).graph)


def _error(layer: WeightLayer, bits: Bits) -> float:
    """What the widths add to the mean square error of the layer's sums."""
    coefs = steady(layer.coef_error(bits.coefs)) - steady(layer.coef_error(WIDEST.coefs))
    if not layer.has_bases:
        return max(0.0, coefs)
    return max(0.0, coefs) + max(0.0, steady(layer.basis_error(bits.basis)) - steady(layer.basis_error(WIDEST.basis)))
