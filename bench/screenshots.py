"""Opens a report in headless Chromium as people see it: light, dark, on a narrow screen, on paper.

    python bench/screenshots.py build/demo/report.html -o build/screenshots

Exit 1 where the page writes anything to the console, such as an error. Debian: apt-get install chromium.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DARK = ("--force-dark-mode", "--blink-settings=preferredColorScheme=0")
TALL = 16_000  # pixels: nearly as many as Chromium draws; the report of ResNet-18 has 14,000
# name -> width, height, further options. Chromium's narrowest window is 500 pixels wide: a narrower page is cut from it.
LOOKS = {"light": (1280, TALL, ()), "dark": (1280, TALL, DARK), "narrow": (500, TALL, ())}
SECONDS = 120


def chromium(page: Path, *options: str) -> list[str]:
    """Open `page`; what it wrote to the console."""
    command = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if command is None:
        sys.exit("chromium was not found on PATH (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [
                command, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=10000",
                "--enable-logging=stderr", f"--user-data-dir={profile}", *options, page.resolve().as_uri(),
            ],
            capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
    return [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("build/screenshots"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    said: list[str] = []
    for name, (width, height, further) in LOOKS.items():
        file = options.output / f"{options.report.stem}_{name}.png"
        said += chromium(options.report, f"--window-size={width},{height}", f"--screenshot={file.resolve()}", *further)
        print(file)
    paper = options.output / f"{options.report.stem}.pdf"
    said += chromium(options.report, "--no-pdf-header-footer", f"--print-to-pdf={paper.resolve()}")
    print(paper, f"{options.report.stat().st_size:,} bytes", sep="\n")
    print("\n".join(said) or "nothing on the console")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
