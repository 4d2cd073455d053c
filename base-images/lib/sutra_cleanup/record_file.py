"""Read a distribution's RECORD: CSV, with names of any bytes."""

from __future__ import annotations

import csv
from pathlib import Path


def rows(text: str) -> list[list[str]]:
    """Return the rows of a RECORD, paths first; none of one that is no CSV."""
    try:
        return [row for row in csv.reader(text.splitlines()) if row]
    except csv.Error:
        return []


def read(path: Path) -> str:
    """Return the text of a record; names that are no UTF-8 are kept by surrogates."""
    return path.read_bytes().decode("utf-8", "surrogateescape")
