"""The figures of sweep.py: one SVG per sweep, with a panel each for cycles, LUTs, DSP slices and block RAMs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib

from penni_hls.target import boards

if TYPE_CHECKING:
    from sweep import Point, Result

matplotlib.use("svg")
from matplotlib import pyplot as plt  # noqa: E402 - after the choice of a backend
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator  # noqa: E402

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito's, for all eyes
NAMES = {"resnet8": "ResNet-8", "resnet18": "ResNet-18", "resnet20": "ResNet-20", "vgg16": "VGG-16"}
PANELS = (
    ("cycles", "clock cycles per image"),
    ("lut", "LUTs"),
    ("dsp", "DSP slices"),
    ("bram36", "block RAMs (36 kbit)"),
)
STYLE = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "penni-hls",  # the same figure, the same bytes
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}

Results = Mapping["Point", "Result"]
Number = Callable[["Point"], float]


def draw(found: Results, centre: Point, folder: Path) -> None:
    """Write sweep_sparsity.svg, sweep_d.svg and sweep_bits.svg: those of which there are at least two points."""
    folder.mkdir(parents=True, exist_ok=True)
    archs = list(dict.fromkeys(point.arch for point in found))

    def along(arch: str, *varying: str) -> list[Result]:
        """The random networks that are as in `centre` but for `varying`, in its order."""
        same = {name: getattr(centre, name) for name in varying}
        chosen = [r for p, r in found.items() if not p.trained and replace(p, **same, arch="", board="") == centre]
        return sorted((r for r in chosen if r.point.arch == arch), key=lambda r: getattr(r.point, varying[0]))

    zeros = {name(arch): (along(arch, "sparsity"), "-", i) for i, arch in enumerate(archs)}
    trained = {f"{name(r.point.arch)}, trained": (r, archs.index(r.point.arch)) for p, r in found.items() if p.trained}
    figure(folder / "sweep_sparsity.svg", zeros, lambda p: 100 * (1 - p.sparsity), "coefficients that are zero (%)",
           f"{centre.d} bases per layer, 8 bits", marks=trained, left=True)  # fmt: skip
    bases = {name(arch): (along(arch, "d"), "-", i) for i, arch in enumerate(archs)}
    share = f"{100 * centre.sparsity:g} % of the coefficients zero"
    figure(folder / "sweep_d.svg", bases, lambda p: p.d, "bases per layer (d)", f"{share}, 8 bits")
    bits = {}
    for i, arch in enumerate(archs):
        bits[f"{name(arch)}, coefficients"] = (along(arch, "coef_bits"), "-", i)
        bits[f"{name(arch)}, bases"] = (along(arch, "basis_bits"), "--", i)
    figure(folder / "sweep_bits.svg", bits, lambda p: p.coef_bits + p.basis_bits - 8, "bits (the other: 8)",
           f"{share}, {centre.d} bases per layer")  # fmt: skip


def name(arch: str) -> str:
    return NAMES.get(arch, arch)


def figure(
    path: Path, series: Mapping[str, tuple[list[Result], str, int]], x: Number, label: str, rest: str,
    *, marks: Mapping[str, tuple[Result, int]] = {}, left: bool = False,
) -> None:  # fmt: skip
    """series: by label the results, the style of the line and the number of its colour. marks: single results.
    left: x is what is left of 100 %, on a logarithmic axis whose labels say what is gone."""
    results = [result for line, _, _ in series.values() for result in line]
    if max(map(len, (line for line, _, _ in series.values()))) < 2:
        return
    board = boards.load(results[0].point.board)
    with plt.rc_context(STYLE):
        drawn, panels = plt.subplots(2, 2, figsize=(7.2, 5.4), layout="constrained", sharex=True)
        for axes, (quantity, unit) in zip(panels.flat, PANELS):
            for text, (line, style, i) in series.items():
                colour = COLOURS[i % len(COLOURS)]
                xs, ys = [x(r.point) for r in line], [getattr(r, quantity) for r in line]
                axes.plot(xs, ys, style, color=colour, linewidth=1.4, label=text)
                for r, at, value in zip(line, xs, ys):
                    axes.plot(at, value, "o", color=colour, markersize=4.5, markerfacecolor=filling(r, colour))
            for text, (r, i) in marks.items():
                colour = COLOURS[i % len(COLOURS)]
                shape = {"markersize": 7, "markerfacecolor": filling(r, colour), "linestyle": "none"}
                axes.plot(x(r.point), getattr(r, quantity), "D", color=colour, label=text, **shape)
            finish(axes, quantity, unit, getattr(board.device, quantity, None), board.name)
        if left:
            show_what_is_gone(panels[0][0], sorted({x(result.point) for result in results}))
        for axes in panels[1]:
            axes.set_xlabel(label)
        handles, labels = panels[0][0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside lower center", ncols=2 if len(labels) == 4 else 3)
        drawn.suptitle(f"Estimated for {board.name}: {rest}; random positions of zeros.\n"
                       f"Hollow: does not fit the device", fontsize=9)  # fmt: skip
        drawn.savefig(path, metadata={"Date": None})
        plt.close(drawn)


def filling(result: Result, colour: str) -> str:
    return colour if result.fits else "white"


def finish(axes, quantity: str, unit: str, limit: float | None, board: str) -> None:  # noqa: ANN001
    """Labels and scale of a panel, and how many the device has."""
    axes.set_ylabel(unit)
    if quantity == "cycles":
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    if quantity == "cycles":
        return
    if limit:
        axes.axhline(limit, color="#555555", linestyle=":", linewidth=1)
        axes.annotate(
            board, (0.01, limit), xycoords=("axes fraction", "data"), va="bottom", fontsize=7, color="#555555"
        )
    axes.set_ylim(bottom=0)


def show_what_is_gone(axes, left: list[float]) -> None:  # noqa: ANN001
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_xticks(left, [f"{100 - value:g}" for value in left])
    axes.xaxis.set_minor_locator(NullLocator())
