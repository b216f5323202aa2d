"""A checkpoint -> its network in integers, before it is planned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data import load_images
from ..errors import UsageError
from ..ir.bits import Bits, LayerBits, complete, layers_of, parse
from ..ir.graph import verify
from ..ir.quantized import Quantized
from ..passes.narrow_coefs import narrow_coefs
from ..passes.unread_bases import drop_unread_bases
from ..project import digest
from ..quantize.choose import MAX_DROP, Chosen, choose
from ..quantize.quantizer import Quantizer
from ..target.boards import Board
from .board_bits import choose_for_board
from .images import check_images

if TYPE_CHECKING:
    from ..checkpoint import Loaded

AUTO, FOR_BOARD = "auto", "for-board"
MOST_DROP = 100.0

Stage = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Integers:
    """What a checkpoint becomes before it is planned. network: a line that describes it. bits: of each layer, empty where
    the checkpoint holds an integer network and does not say them; chosen: how they were, if they were. images: those it
    was calibrated with."""

    loaded: Loaded
    quantized: Quantized
    network: str
    sha256: str
    bits: LayerBits
    chosen: Chosen | None
    images: np.ndarray | None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how the numbers were found."""
        return (*self.loaded.notes, *self.quantized.notes, *((self.chosen.note,) if self.chosen else ()))


def integers(
    checkpoint: Path,
    *,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    bits: str | LayerBits | None = None,
    basis_bits: int | None = None,
    coef_bits: int | None = None,
    max_drop: float | None = None,
    calibration: str | Path | np.ndarray | None = None,
    board: Board | None = None,
    stage: Stage = lambda name: None,
) -> Integers:
    """Read a checkpoint and quantize its network, with the options of `generate`. board: for which bits are chosen."""
    images = load_images(calibration).images if isinstance(calibration, (str, Path)) else calibration
    stage("reading the checkpoint")
    loaded, network, sha256 = _read_checkpoint(checkpoint, mean, std)
    if images is not None:
        check_images(images, loaded.graph, "calibration images")
    given = {
        "bits": bits, "basis_bits": basis_bits, "coef_bits": coef_bits, "max_drop": max_drop, "calibration": calibration,
    }  # fmt: skip
    asked = [name for name, value in given.items() if value is not None]
    if loaded.quantized is not None and loaded.quantized.trained and asked:
        raise UsageError(
            f"{checkpoint} holds an integer network, trained as the hardware computes it; leave"
            f" --{asked[0].replace('_', '-')} away"
        )
    if loaded.quantized is not None and not asked:
        return Integers(loaded, _stored(loaded.quantized), network, sha256, loaded.bits or {}, None, images)
    chosen: Chosen | None = None
    try:
        widths = _widths(loaded, bits, basis_bits, coef_bits, max_drop)
        stage("quantizing")
        quantizer = Quantizer(loaded.graph, images)
        if widths is None:
            stage("choosing the bits of weights")
            drop = MAX_DROP if max_drop is None else max_drop
            if bits == FOR_BOARD and board is not None:
                chosen = choose_for_board(quantizer, board, drop, stage)
            chosen = chosen or choose(quantizer, drop)
            widths = chosen.bits if chosen else dict.fromkeys(quantizer.layers, Bits())
        quantized = quantizer.quantized(widths)
        _check_computes(quantized)
    except (ValueError, UsageError) as error:
        raise UsageError(f"{checkpoint}: {error}") from None
    quantized = replace(quantized, graph=narrow_coefs(quantized.graph))
    return Integers(loaded, quantized, network, sha256, widths, chosen, images)


def _check_computes(quantized: Quantized) -> None:
    if not any(node.op.hardware for node in quantized.graph):
        raise UsageError(
            f"{quantized.graph.output.name}: the results are the pixels themselves, so there is nothing to build; a network"
            " needs a convolution, a pooling or a linear layer"
        )


def _stored(quantized: Quantized) -> Quantized:
    """An integer network that a checkpoint holds, as hardware computes it."""
    return replace(quantized, graph=verify(narrow_coefs(drop_unread_bases(quantized.graph))))


def _read_checkpoint(
    path: Path, mean: tuple[float, ...] | None, std: tuple[float, ...] | None
) -> tuple[Loaded, str, str]:
    """What the file holds, a line that describes its network, and its sha256."""
    from .. import checkpoint as reader  # some forms need torch, which takes a second

    loaded = reader.load(path, mean=mean, std=std)
    return loaded, reader.describe(loaded.graph), digest(path.read_bytes())


def _widths(
    loaded: Loaded, bits: str | LayerBits | None, basis: int | None, coefs: int | None, max_drop: float | None
) -> LayerBits | None:
    """Those of every layer; None: they are to be chosen."""
    for name, value in (("--basis-bits", basis), ("--coef-bits", coefs)):
        if value is not None and bits is not None:
            raise UsageError(f"{name} and --bits exclude each other; '--bits 8/4' is for all layers")
    layers = layers_of(loaded.graph)
    if basis is not None or coefs is not None:
        bits = dict.fromkeys(layers, Bits(8 if basis is None else basis, 8 if coefs is None else coefs))
    elif bits is None:
        bits = loaded.bits if loaded.bits and max_drop is None else AUTO
    if max_drop is not None and (bits not in (AUTO, FOR_BOARD) or not 0 <= max_drop <= MOST_DROP):
        raise UsageError("--max-drop is a number of points, 0 to 100, and goes with --bits auto")
    if bits in (AUTO, FOR_BOARD):
        return None
    return parse(bits, layers) if isinstance(bits, str) else complete(bits, layers, Bits())
