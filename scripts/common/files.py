"""Files that are whole or not there."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from scripts.common.errors import DiskError


def write(place: Path, text: str, who: str, tip: str) -> None:
    """Write `text` under a temporary name beside `place`, then rename it; folders are made.

    Raises DiskError when that cannot be done: `who` begins its message, `tip` is its tip.
    """
    # containers that share a cache may share a process id, too
    name = f".{os.getpid()}-{secrets.token_hex(4)}"
    try:
        replace(place, text, place.with_suffix(name))
    except OSError as error:
        raise DiskError(f'{who}: cannot write "{place}": {error.strerror}', tip) from error


def replace(place: Path, text: str, partial: Path, durable: bool = False) -> None:
    """Write `text` as `partial`, then rename it to `place`. Raises OSError.

    Nothing is left of `partial` after an error or an interrupt.

    A `durable` one is on the disk when this returns, and outlives a loss of power.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(place)
        if durable:
            sync_names(place.parent)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def sync_names(folder: Path) -> None:
    """Have a folder's names on the disk: a rename alone may be lost with the power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
