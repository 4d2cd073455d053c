"""Files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

from scripts.common.errors import DiskError


def write(place: Path, text: str, who: str, tip: str) -> None:
    """Write `text` under a temporary name beside `place`, then rename it; folders are made.

    Raises SutraError when that cannot be done: `who` begins its message, `tip` is its tip.
    """
    partial = place.with_suffix(f".{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.rename(place)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise DiskError(f'{who}: cannot write "{place}": {error.strerror}', tip) from error
