"""Schedules in words and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..api import WouldFit
from ..schedule import Schedule
from ..target.boards import Board

MOST = 3  # layers that are named for a resource that is short
HEADINGS = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram36": "BRAM", "uram": "URAM"}


def shown(board: Board) -> dict[str, str]:
    """The resources that the device has, each with the heading of its column."""
    return {name: HEADINGS[name] for name, have in board.device.as_dict().items() if have}


def counts(cost: Mapping[str, float], board: Board) -> tuple[float, ...]:
    """The cells of these columns: block RAMs with halves, all else whole."""
    return tuple(cost[name] if name == "bram36" else round(cost[name]) for name in shown(board))


def short(choices: Mapping[str, int | str]) -> str:
    """`8x1 BLLB`: q x p, then the first letter of each further choice, as Block RAM, LUTs or UltraRAM for a
    memory."""
    q, p, *others = choices.values()
    letters = "".join(str(choice)[0].upper() for choice in others)
    return f"{q}x{p} {letters}".rstrip()


def rate_lines(schedule: Schedule) -> Iterator[str]:
    """The rate, what sets it, its lower bounds, and what the scheduler proved."""
    if schedule.copies > 1:
        yield f"{schedule.copies} copies of the network take images by turns (--copies 1 makes one)."
    yield (
        f"{schedule.cycles_per_image:,} cycles per image, {_set_by(schedule)}: "
        f"{schedule.images_per_second:,.0f} images/s at {schedule.board.clock_mhz:g} MHz."
    )
    if schedule.in_hls is not None:
        more = schedule.in_hls.cycles_per_image / schedule.cycles_per_image - 1
        yield (
            f"From the C++, by Vitis HLS: {schedule.in_hls.cycles_per_image:,} cycles ({more:+.1%}), by the same model; it "
            f"has not been run."
        )
    yield (
        f"Lower bounds: {schedule.mac_bound:,.0f} cycles with all {schedule.multipliers} multipliers always busy; "
        f"{schedule.stream_bound:,} for the widest map at one value per cycle."
    )
    if schedule.fits:
        yield _proven(schedule)


def _set_by(schedule: Schedule) -> str:
    alone = schedule.proof.cycles
    if schedule.cycles_per_image <= alone:
        return f"set by {schedule.slowest}"
    return f"where operators wait for each other ({schedule.slowest} alone needs {alone:,})"


def _proven(schedule: Schedule) -> str:
    proof = schedule.proof
    least = "the least hardware found, a limit was reached"
    if proof.gap is not None:
        least = "proven to be the least hardware" + (f" within {proof.gap:.2%}" if proof.gap >= 5e-5 else "")
    if proof.wanted is not None:
        return f"The foldings for at most {proof.wanted:,} cycles: {least}."
    if proof.bound == proof.cycles:
        return f"The foldings: proven to be the fastest within the budget; {least}."
    return (
        f"The foldings: the fastest found; no choice within the budget has fewer than {proof.bound:,} cycles; {least}."
    )


def misfit_lines(schedule: Schedule, instead: WouldFit) -> Iterator[str]:
    """What is short, in which layers, and what would fit."""
    board = schedule.board
    if schedule.shortfalls:
        yield f"Estimated not to fit {board.name}:"
    for lack in schedule.shortfalls:
        cost = {name: found.as_dict()[lack.resource] for name, found in schedule.resources.items()}
        most = sorted(cost, key=lambda name: -cost[name])[:MOST]
        shares = ", ".join(f"{name} {cost[name]:,.0f} ({cost[name] / lack.needed:.0%})" for name in most)
        yield f"  {lack}; {lack.needed - lack.available:,.0f} too many. Most: {shares}"
    wanted = schedule.proof.wanted
    if schedule.too_slow and wanted is not None:
        yield (
            f"Too slow: {board.clock_mhz * 1e6 / wanted:,.0f} images/s are asked for, at most {wanted:,} cycles per image."
        )
    found = []
    if instead.images_per_second is not None:
        found.append(f"{instead.images_per_second:,.0f} images/s on {board.name}")
    if instead.coef_bits is not None:
        found.append(f"coefficients of {instead.coef_bits} bits")
    if instead.boards:
        found.append(", ".join(f"{name} ({fps:,.0f} images/s)" for name, fps in instead.boards.items()))
    yield (
        f"Estimated to fit instead: {'; or '.join(found)}."
        if found
        else "No known board is estimated to be large enough."
    )
