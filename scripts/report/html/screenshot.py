"""A picture of the report's beginning, taken by a headless Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.common.errors import SutraError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTH, HEIGHTS = 1100, (1500, 1100, 800, 500)
# bytes of a picture that is kept in git
LARGEST = 200_000
SECONDS = 120


def find_browser() -> str:
    """Return the path of a Chromium. Raises SutraError if none is installed."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    raise SutraError("report: no Chromium to take a picture with", "scripts/install.sh chromium")


def take(page: Path, target: Path) -> None:
    """Write a PNG of the beginning of `page`, of at most LARGEST bytes. Raises SutraError."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            shot = next(
                (picture for height in HEIGHTS if (picture := _shot(page, Path(folder), height))),
                None,
            )
            if shot is None:
                raise SutraError(
                    f'report: no picture "{target}": larger than {LARGEST} bytes',
                    f"open {page} in a browser",
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(shot, target)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SutraError(
                f'report: no picture "{target}": {error}', f"open {page} in a browser"
            ) from error
    print(f"report: {target}", file=sys.stderr)


def _shot(page: Path, folder: Path, height: int) -> Path | None:
    """Return a PNG of the first `height` pixels, or None when it is too large."""
    picture = folder / f"{height}.png"
    command = [
        find_browser(),
        "--headless",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={folder}/profile",
        f"--window-size={WIDTH},{height}",
        f"--screenshot={picture}",
        page.resolve().as_uri(),
    ]
    if os.geteuid() == 0:
        command.insert(1, "--no-sandbox")  # Chromium has none for root
    subprocess.run(command, check=False, capture_output=True, timeout=SECONDS)
    return picture if picture.stat().st_size <= LARGEST else None
