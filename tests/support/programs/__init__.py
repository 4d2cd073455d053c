"""Programs that tests run inside containers: files, so that linters see them."""

from __future__ import annotations

from pathlib import Path


def text(name: str) -> str:
    """Return the source of the program `name`, for `python -c` or an archive."""
    return Path(__file__).with_name(f"{name}.py").read_text()
