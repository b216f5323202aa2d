"""The demo's files: small, plain, and what they are said to be."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from penni_hls.data import load_images

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_input_is_what_its_script_draws(tmp_path):
    subprocess.run([sys.executable, EXAMPLES / "make_demo_input.py", tmp_path / "x.npz"], check=True)
    drawn, kept = load_images(tmp_path / "x.npz").images, load_images(EXAMPLES / "demo_input.npz").images
    assert np.array_equal(drawn, kept) and kept.shape == (8, 32, 32, 3)
    assert len({image.tobytes() for image in kept}) == 8
