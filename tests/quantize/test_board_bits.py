"""Bits of weights chosen with the foldings of a board."""

from __future__ import annotations

from pathlib import Path

import pytest

from penni_hls.checkpoint import read
from penni_hls.ir.bits import Bits
from penni_hls.quantize.choose import WIDEST, Study
from penni_hls.quantize.quantizer import Quantizer
from penni_hls.recipes import board_bits
from penni_hls.recipes.board_bits import choose_for_board
from penni_hls.schedule import plan
from penni_hls.target.boards import load

DROP = 2.0


@pytest.mark.slow
def test_bits_are_narrowed_where_the_board_is_short(small_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_bits, "VARIANTS", (WIDEST, Bits(8, 4), Bits(4, 8), Bits(4, 4)))
    quantizer = Quantizer(read(small_checkpoint))
    board = load("zybo-z7-10", {"lut": 0.35, "ff": 0.8, "dsp": 0.3, "bram36": 0.3})
    said: list[str] = []
    chosen = choose_for_board(quantizer, board, DROP, said.append)
    assert chosen is not None and "planning at 8/4 bits (2 of 4)" in said
    study = Study.of(quantizer)
    assert study is not None and study.drop(chosen.bits) == chosen.estimate <= DROP
    plans = {
        name: plan(board_bits._graph(quantizer, bits), board)
        for name, bits in (("wide", dict.fromkeys(quantizer.layers, WIDEST)), ("chosen", chosen.bits))
    }
    assert plans["chosen"].fits
    assert not plans["wide"].fits or plans["chosen"].cycles_per_image < plans["wide"].cycles_per_image


@pytest.mark.slow
def test_nothing_is_chosen_where_nothing_fits(small_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_bits, "VARIANTS", (WIDEST, Bits(3, 3)))
    board = load("zybo-z7-10", dict.fromkeys(("lut", "ff", "dsp", "bram36"), 0.01))
    assert choose_for_board(Quantizer(read(small_checkpoint)), board, DROP, lambda name: None) is None
