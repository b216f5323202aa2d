"""Words as bytes; what is said when a tool or its headers are missing or fail."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penni_hls.backends.hls import gxx
from penni_hls.backends.words import pack, unpack, word_bytes
from penni_hls.errors import ToolError
from penni_hls.ir.fixed import QType


@given(st.integers(1, 40), st.booleans(), st.integers(1, 33), st.integers(0, 5), st.integers(0, 2**32))
def test_unpack_undoes_pack(bits, signed, per_word, words, seed):
    qtype = QType(bits, signed)
    rng = np.random.default_rng(seed)
    values = rng.integers(qtype.lo, qtype.hi, (words, per_word), endpoint=True).astype(qtype.dtype)
    data = pack(values, qtype)
    assert len(data) == words * word_bytes(bits * per_word)
    np.testing.assert_array_equal(unpack(data, per_word, qtype), values)


def test_the_first_value_lies_lowest():
    assert pack(np.array([[1, -1, 2]]), QType(4, True)) == bytes([0xF1, 0x02])
    assert pack(np.array([[-2]]), QType(12, True)) == bytes([0xFE, 0x0F])
    assert pack(np.array([[1, 2, 3]]), QType(8, False)) == bytes([1, 2, 3, 0])


@pytest.mark.parametrize(("bits", "size"), [(1, 1), (9, 2), (24, 4), (40, 8), (65, 16), (129, 24), (320, 40)])
def test_word_sizes(bits, size):
    assert word_bytes(bits) == size


def test_a_missing_compiler_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    said = r"^g\+\+ was not found on PATH; C simulation needs it \(Debian: apt-get install g\+\+\)$"
    with pytest.raises(ToolError, match=said):
        gxx.build(tmp_path, tmp_path)


def test_missing_headers_are_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    said = r"^the ap_int headers of hls4ml were not found; .* \(pip install hls4ml==1.3.0\)$"
    with pytest.raises(ToolError, match=said):
        gxx.ap_types()


def small_sources(hls: Path) -> Path:
    (hls / "csim").mkdir(parents=True)
    (hls / "penni_top.cpp").write_text("char big[1 << 22] = {1};\n")
    (hls / "testbench.cpp").write_text("int main() {}\n")
    (hls / "csim" / "penni_csim.cpp").write_text("\n")
    return hls


@pytest.mark.parametrize("said", ["No space left on device", "Disk quota exceeded"])
def test_a_full_disk_is_named(said, monkeypatch, tmp_path):
    tool = tmp_path / "bin" / "g++"
    tool.parent.mkdir()
    lines = (f"ld: final link failed: {said}", "collect2: error: ld returned 1 exit status")
    tool.write_text("".join(["#!/bin/sh\n", *(f"echo '{line}' >&2\n" for line in lines), "exit 1\n"]))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=":")
    with pytest.raises(
        ToolError, match=rf"^g\+\+ failed: {said}: the disk of .* has [\d,]+ MB left; free some space there"
    ):
        gxx.build(small_sources(tmp_path / "hls"), tmp_path / "work")


def test_a_disk_that_is_full(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(ToolError, match=rf"the disk of {disk}/\S* has \d MB left; free some space there$"):
            gxx.build(small_sources(tmp_path / "hls"), disk / "work")
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_source_that_does_not_compile_gives_the_first_error(tmp_path):
    hls = tmp_path / "hls"
    (hls / "csim").mkdir(parents=True)
    (hls / "penni_top.cpp").write_text("int f() { return missing; }\n")
    (hls / "testbench.cpp").write_text("int main() {}\n")
    (hls / "csim" / "penni_csim.cpp").write_text("\n")
    with pytest.raises(ToolError, match=r"^g\+\+ failed: .*penni_top\.cpp:1:.*missing"):
        gxx.build(hls, tmp_path / "work")
    assert not (tmp_path / "work" / "csim" / "digest").exists()
