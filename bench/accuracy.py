"""Top-1 of the integer network by number format and calibration, from the penni-hls commands, as a Markdown table.

    python bench/accuracy.py CHECKPOINT --data DIR [--count 10000] [--bits auto 8/4] [--mean R,G,B --std R,G,B]

DIR holds CIFAR-10; the calibration images are the first 256 of its training images.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from speed import run

from penni_hls.data import load_cifar10

FORMATS = ("auto", "8/8", "8/4", "4/8", "4/4")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--data", required=True)
    parser.add_argument("--count", default="10000")
    parser.add_argument("--bits", nargs="+", help="as for 'generate --bits'; by default several")
    parser.add_argument("--mean")
    parser.add_argument("--std")
    options = parser.parse_args()
    given = [part for name in ("mean", "std") if (value := getattr(options, name)) for part in (f"--{name}", value)]
    print("| bits of bases/coefficients | calibration | integer | float |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "calibration.npz"
        np.savez(images, images=load_cifar10(options.data, "train").images[:256])
        project = str(Path(folder) / "project")
        for bits in options.bits or FORMATS:
            for calibration in (["--calibration", str(images)], []):
                made = ["generate", options.checkpoint, "--allow-oversize", "-o", project, *given, *calibration]
                run([*made, "--bits", bits])
                _, found = run(["evaluate", project, "--data", options.data, "--count", options.count])
                source = "256 images" if calibration else "none"
                print(
                    f"| {bits} | {source} | {found['top1_integer']:.2f} % | {found['top1_float']:.2f} % |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
