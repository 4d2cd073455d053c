"""Rules that every Dockerfile keeps, for faults that only some engines show."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = sorted(
    file
    for folder in ("base-images", "packages", "tests")
    for pattern in ("*.Dockerfile", "Dockerfile*")
    for file in (ROOT / folder).rglob(pattern)
)
COPY = re.compile(r"^(?:COPY|ADD)\s.*", re.MULTILINE)


def closes_folders(line: str) -> bool:
    """Return whether a COPY gives a mode without x: a folder that it creates gets it too."""
    modes = [word.partition("=")[2] for word in shlex.split(line) if word.startswith("--chmod=")]
    octal = [mode for mode in modes if mode.isdecimal()]
    return any(int(mode, 8) & 0o111 != 0o111 for mode in octal)


def instructions(text: str) -> list[str]:
    return COPY.findall(text.replace("\\\n", " "))


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_copy_gives_a_folder_that_it_creates_a_mode_that_closes_it(file: Path) -> None:
    """BuildKit 0.22 and newer: moby#49851."""
    assert [line for line in instructions(file.read_text()) if closes_folders(line)] == []


@pytest.mark.parametrize(
    ("line", "closed"),
    [
        ("COPY --chmod=644 a /new/", True),
        ("ADD --chown=1 --chmod=0640 a /new/", True),
        ("COPY \\\n  --chmod=600 a /new/", True),
        ("COPY --chmod=755 a /new/", False),
        ("COPY --chmod=u=rwX,go=rX a /new/", False),
        ("COPY a /new/", False),
    ],
)
def test_a_mode_without_x_is_found(line: str, closed: bool) -> None:
    assert [closes_folders(found) for found in instructions(line)] == [closed]
