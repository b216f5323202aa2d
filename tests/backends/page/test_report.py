"""report.html: whole, on its own, small, and with the figures of model.json."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import struct
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import penni_hls
from penni_hls.backends.page.emit import FOLDER, emit_report
from penni_hls.backends.page.images import TALLEST, WIDEST, density, picture
from penni_hls.ir.fixed import QType
from penni_hls.ir.graph import Graph, TensorSpec
from penni_hls.ir.ops import Input
from penni_hls.project import results
from penni_hls.schedule import plan_copies
from penni_hls.target import boards

from ...networks import NetworkBuilder

MOST_BYTES = 3_000_000
VOID = {"meta", "link", "img", "br", "hr", "input", "path", "rect"}
# npm's vega 6.4.0 and vega-lite 6.5.0, build/*.min.js
VENDORED = {
    "vega.min.js": "8f6a3587cf8d4f42c7e08120e3eb05d067e746d554e39d2dcf52acc0bd5ba28f",
    "vega-lite.min.js": "83e215e84e308ee8688fa6503ba0f1cf8a3c05c0d61df2841a0b92bf86809e00",
}


class Page(HTMLParser):
    """Tags must close in order; what refers to what; the cells of tables; the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.images: list[str] = []
        self.rows: list[list[str]] = []
        self.scripts: dict[str, str] = {}
        self.policy = ""
        self._script = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag not in VOID or (tag in ("path", "rect") and not self.get_starttag_text().endswith("/>")):
            self.open.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a":
            self.links.append(given["href"])
        if tag == "img":
            self.images.append(given["src"])
            assert given["alt"]
        elif tag in ("link", "iframe", "object", "embed", "image", "use", "audio", "video", "source") or "src" in given:
            self.loaded.append(self.get_starttag_text())
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "script":
            self._script = given.get("id", f"script{len(self.scripts)}")
            self.scripts[self._script] = ""

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[self._script] += data
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data

    @property
    def charts(self) -> dict:
        return json.loads(self.scripts["specs"])


@pytest.fixture
def project(small_project, tmp_path) -> penni_hls.Project:
    """A copy whose results may change."""
    shutil.copytree(small_project, tmp_path / "p", ignore=shutil.ignore_patterns("build"))
    return penni_hls.load(tmp_path / "p")


def shown(project: penni_hls.Project) -> str:
    return emit_report(project.manifest, project.schedule, results.load(project))


def ran() -> dict:
    """What a simulation of the RTL leaves, with windows of an operator that is busy, then blocked, then starved."""
    return {
        "images": 2, "bit_exact": True, "settled": True, "cycles_per_image": 4321, "latency_cycles": 9876,
        "fifos": {"conv1.mac -> layer1.0.fork": [33, 17]},
        "profile": {"cycles": 100, "operators": {"conv1.mac": {"busy": 60, "starved": 30, "blocked": 10}}},
        "windows": {"ends": [10, 20, 30, 40], "starved": {"conv1.mac": [0, 1, 2, 9]}, "blocked": {"conv1.mac": [1, 2, 7, 0]}},
    }  # fmt: skip


def test_the_page_is_well_formed_and_needs_nothing_else(small_project):
    text = (small_project / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not page.open and len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert page.loaded == [] and all(image.startswith("data:image/png;base64,") for image in page.images)
    assert page.policy.startswith("default-src 'none'") and "http" not in page.policy
    style = text.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style
    assert len(text.encode()) < MOST_BYTES
    assert {f"chart-{name}" for name in page.charts} <= set(page.ids)


@pytest.mark.parametrize("name", VENDORED)
def test_what_draws_the_charts_is_what_was_published(name):
    assert hashlib.sha256((FOLDER / "vega" / name).read_bytes()).hexdigest() == VENDORED[name]


def test_every_figure_of_the_manifest_is_in_the_table(small_project):
    manifest = json.loads((small_project / "model.json").read_text())
    page = Page((small_project / "report.html").read_text(encoding="utf-8"))
    rows = {row[0]: row[1:] for row in page.rows if row and len(row) > 10}
    columns = rows["operator"]
    for layer in manifest["layers"]:
        row = dict(zip(columns, rows[layer["name"]]))
        assert row["output"].startswith("×".join(map(str, layer["output"])) + " " + layer["type"])
        assert row["cycles"] == f"{layer['cycles']:,}"
        assert row["bits"] == ("" if layer["weight_bits"] is None else str(layer["weight_bits"]))
        assert all(f"{choice} {value}" in row["hardware"] for choice, value in layer["folding"].items())
        for column, resource in (("LUT", "lut"), ("FF", "ff"), ("DSP", "dsp"), ("block RAM", "bram36")):
            assert abs(float(row[column].replace(",", "")) - layer[resource]) <= 0.5 + 0.06
    total = dict(zip(columns, rows["all"]))
    assert total["cycles"] == f"{manifest['performance']['cycles_per_image']:,}"
    network = penni_hls.load(small_project).graph
    arrays = [node.op.weights for node in network if node.op.weights is not None]
    assert total["non-zeros"] == f"{sum((a != 0).sum() for a in arrays):,} of {sum(a.size for a in arrays):,}"


def test_the_charts_have_the_figures_of_the_manifest(small_project):
    manifest = json.loads((small_project / "model.json").read_text())
    layers = manifest["layers"]
    charts = Page((small_project / "report.html").read_text(encoding="utf-8")).charts
    bars, rule = charts["load"]["layer"]
    assert {row["operator"]: row["cycles"] for row in bars["data"]["values"]} == {
        at["name"]: at["cycles"] for at in layers
    }
    assert rule["data"]["values"] == [{"cycles": manifest["performance"]["cycles_per_image"]}]
    spans = {row["operator"]: [row["begins"], row["ends"]] for row in charts["first-image"]["data"]["values"]}
    assert spans == {at["name"]: at["first_image"] for at in layers}
    board = penni_hls.load(small_project).schedule.board
    shares = {row["resource"]: row["share"] for row in charts["budget"]["layer"][0]["data"]["values"]}
    limits = {row["resource"]: row["limit"] for row in charts["budget"]["layer"][1]["data"]["values"]}
    for heading, name in (("LUT", "lut"), ("FF", "ff"), ("DSP", "dsp"), ("block RAM", "bram36")):
        have = getattr(board, name)
        assert abs(shares[heading] * have - manifest["performance"]["resources"][name]) <= 0.06
        assert limits[heading] == pytest.approx(manifest["options"]["usable"][name])
    counted = {(row["operator"], row["resource"]): row["count"] for row in charts["resources"]["data"]["values"]}
    assert all(counted[at["name"], "LUT"] == at["lut"] for at in layers)
    depths = {row["FIFO"]: row["words"] for row in charts["fifos"]["layer"][0]["data"]["values"]}
    assert sorted(depths.values()) == sorted(link["depth"] + 1 for link in manifest["schedule"]["links"])


def test_without_results_the_page_says_how_to_get_them(small_project):
    text = (small_project / "report.html").read_text(encoding="utf-8")
    assert "Not simulated yet" in text and "Not synthesized yet" in text and "over-time" not in Page(text).charts


def test_a_simulation_is_shown(project):
    results.save(project, "simulate-rtl", ran())
    page = Page(shown(project))
    text = shown(project)
    assert "4,321" in text and "9,876 cycles, simulated" in text and "2 images, simulated" in text
    segments = [
        (row["state"], row["from"], row["until"]) for row in page.charts["over-time"]["data"]["values"]
    ]  # fmt: skip
    assert segments == [("busy", 0, 20), ("blocked", 20, 30), ("starved", 30, 40)]
    shares = {row["state"]: row["share"] for row in page.charts["states"]["data"]["values"]}
    assert shares == {"busy": 0.6, "starved": 0.3, "blocked": 0.1}
    (mark,) = page.charts["fifos"]["layer"][1]["data"]["values"]
    assert (mark["most held"], mark["words"]) == (17, 33)


def test_a_mismatch_and_a_rate_that_has_not_settled_are_not_hidden(project):
    results.save(project, "simulate-rtl", ran() | {"bit_exact": False, "settled": False})
    text = shown(project)
    assert '<div class="bad"><dt>RTL = reference</dt><dd>NO' in text
    assert "4,321" not in text and f"{project.schedule.cycles_per_image:,}" in text


def test_synthesis_is_compared_with_the_estimate(project):
    names = [node.name for node in project.schedule.instances]
    one = {"lut": 100.0, "ff": 50.0, "dsp": 1.0, "bram36": 0.5, "uram": 0.0}
    results.save(project, "synth-yosys", {"tool": "yosys", "operators": dict.fromkeys(names, one)})
    page = Page(shown(project))
    row = next(row for row in page.rows if row and row[0] == "LUT")
    estimate, found = project.schedule.total.lut, 100 * len(names)
    assert row[1:] == [f"{estimate:,.0f}", f"{found:,.0f} ({100 * (estimate / found - 1):+.1f} %)"]
    sources = {bar["source"] for bar in page.charts["resources"]["data"]["values"]}
    assert sources == {"predicted", "synthesized by yosys"}


def test_what_vivado_found_is_shown(project):
    built = {"clock_mhz": 125.0, "fmax_mhz": 131.4, "met": True, "power": 2.031, "problem": None}
    text = emit_report(project.manifest | {"results": {"vivado": built}}, project.schedule, {})
    assert "125 MHz<small>met, placed and routed by Vivado, 131 MHz at most" in text and "2.03 W" in text
    built |= {"met": False, "problem": "setup slack -0.4 ns"}
    text = emit_report(project.manifest | {"results": {"vivado": built}}, project.schedule, {})
    assert '<div class="bad"><dt>clock' in text and "setup slack -0.4 ns" in text


def test_accuracy_is_shown(project):
    results.save(project, "evaluate", {"images": 1000, "top1_integer": 86.5, "top1_float": 87.25})
    text = shown(project)
    assert "measured on 1,000 images" in text and "86.50 %" in text and "87.25 %" in text


def test_a_network_of_one_operator_has_a_page(small_project):
    """No FIFO, no skip connection, nothing but coefficients that are all zero."""
    builder = NetworkBuilder(np.random.default_rng(1), bases=1, density=0)
    builder.add("input", Input(TensorSpec((4, 4, 16), QType(8, signed=False))))
    builder.mac("only", "input", 16, QType(16, signed=True))
    schedule, _ = plan_copies(Graph(tuple(builder.nodes)), boards.load("pynq-z2"), None, 1)
    assert not schedule.links
    page = Page(emit_report(json.loads((small_project / "model.json").read_text()), schedule, {}))
    assert not page.open and page.charts["fifos"]["layer"][0]["data"]["values"] == []
    assert not pixels(page.images[0]).any()


def test_a_name_cannot_become_markup(project):
    hostile = "</script><script>alert(1)</script>"
    source = project.manifest["source"] | {"network": hostile}
    text = emit_report(project.manifest | {"name": hostile, "source": source, "notes": [hostile]}, project.schedule, {})
    assert hostile not in text and Page(text).scripts.keys() == Page(shown(project)).scripts.keys()


def test_the_command_writes_it_anew(project, tmp_path, command):
    results.save(project, "simulate-rtl", ran())
    said = command("report", project.path, "--json").json
    assert said["results"] == ["simulate-rtl"] and Path(said["output"]) == project.path / "report.html"
    assert (project.path / "report.html").stat().st_size == said["bytes"]
    assert "with the results of simulate-rtl" in command("report", project.path, "-o", tmp_path / "r.html").out
    assert (tmp_path / "r.html").read_bytes() == (project.path / "report.html").read_bytes()
    assert penni_hls.load(project.path).changed == ()  # it is no change of the project
    from penni_hls.project import check_target

    check_target(project.path)  # nor a file that would be lost


def test_foreign_results_are_one_line(project, command):
    results.save(project, "simulate-rtl", {"bit_exact": True})
    done = command("report", project.path)
    assert done.code == 2 and len(done.err.splitlines()) == 1
    assert "something in it was not written by this penni-hls" in done.err
    (project.work / "results" / "simulate-rtl.json").write_text("{")
    assert command("report", project.path).code == 0  # unreadable: left out


def pixels(uri: str) -> np.ndarray:
    """The palette entries of a PNG, checksums verified."""
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (size,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + body)
        chunks[kind], at = body, at + 12 + size
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    raw = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not raw[:, 0].any() and chunks[b"tRNS"] == bytes(range(256))
    return raw[:, 1:]


def test_a_picture_has_ink_where_coefficients_are():
    matrix = np.zeros((5, 9), np.int64)
    matrix[1, 2], matrix[4, 8] = -3, 7
    assert np.array_equal(pixels(picture(matrix)) == 255, matrix != 0)
    assert not pixels(picture(np.zeros((2, 3)))).any()


def test_a_large_matrix_is_shown_by_blocks():
    rng = np.random.default_rng(1)
    matrix = rng.integers(0, 10, (2 * TALLEST + 1, 3 * WIDEST)) == 0
    found = density(matrix)
    assert found.shape == (-(-len(matrix) // 3), WIDEST)
    assert found[0, 0] == pytest.approx(matrix[:3, :3].mean()) and found[-1, 5] == pytest.approx(
        matrix[-2:, 15:18].mean()
    )


def test_the_pictures_are_those_of_the_network(small_project):
    arrays = [node.op.weights for node in penni_hls.load(small_project).graph if node.op.weights is not None]
    wanted = [array for array in arrays if array.size >= 256]
    images = Page((small_project / "report.html").read_text(encoding="utf-8")).images
    assert len(images) == len(wanted)
    for image, array in zip(images, wanted):
        assert np.array_equal(pixels(image) > 0, density(array) > 0)
