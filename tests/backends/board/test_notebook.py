"""The notebook beside the driver: every cell is run, in order, on the board in Python."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from .test_driver import Rig, map_network, vector_network

matplotlib.use("Agg")


@pytest.mark.parametrize("network", [vector_network, map_network])
@pytest.mark.parametrize("pictures", [True, False])
def test_every_cell_runs(network, pictures: bool, tmp_path: Path, monkeypatch, capsys) -> None:
    import matplotlib.pyplot as plt

    rig = Rig(network, tmp_path)
    folder, board = tmp_path / "driver", rig.board()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(rig.penni, "PynqBoard", lambda bitfile: board)
    monkeypatch.setitem(sys.modules, "penni", rig.penni)
    labels = [f"kind {i}" for i in range(7)]
    if pictures:
        (folder / "pictures").mkdir()
        picture = np.random.default_rng(0).integers(0, 256, (50, 40, 3), np.uint8)
        for name in ("b.png", "a.jpg"):
            Image.fromarray(picture).save(folder / "pictures" / name)
        (folder / "labels.txt").write_text("\n".join(labels))
    notebook = json.loads((folder / "penni.ipynb").read_text())
    assert notebook["nbformat"] == 4 and len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    space: dict = {}
    titles: list[str] = []
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            assert not cell["outputs"]
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), space)
            titles += [axis.get_title() for figure in map(plt.figure, plt.get_fignums()) for axis in figure.axes]
            plt.close("all")
    assert len(space["images"]) == (2 if pictures else 8)
    if network is vector_network:
        best = rig.expected(space["images"]).argmax(axis=1)
        names = [labels[i] if pictures else i for i in best]
        assert [title.split(":")[0] for title in titles if title] == [str(name) for name in names]
    assert [m.images for m in space["measured"]] == [64] * 5 + [128, 256, 512]
    assert "images/s" in capsys.readouterr().out and not board.memory
