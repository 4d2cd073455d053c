"""A folder that holds the files of an image, as an inventory: read by the same code as a layer."""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from scripts.image import layer_entries
from scripts.image.inventory import Entry, Inventory, LayerFiles


def read(folder: Path, name: str) -> Inventory:
    """Return what a folder holds; it has no id, no settings, and one layer.

    Raises OSError, or one of scripts.oci.tar_stream.DAMAGE where it is too large to be read.
    """
    entries: list[Entry] = []
    texts: dict[str, str] = {}

    def keep(entry: Entry, text: str | None) -> None:
        entries.append(entry)
        if text is not None:
            texts[entry.path] = text

    with tempfile.TemporaryFile() as packed:
        _pack(folder, packed)
        packed.seek(0)
        installed = layer_entries.scan(packed, keep)
    layer = LayerFiles(_digest(entries), installed, 0, tuple(entries), texts)
    return Inventory(name, "", "", {}, (layer,))


def _pack(folder: Path, file: IO[bytes]) -> None:
    """Write the folder's files as a tar, in an order that no file system chooses."""
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in _paths(folder):
            archive.add(path, str(path.relative_to(folder)), recursive=False)


def _paths(folder: Path) -> Iterator[Path]:
    """Yield everything below a folder, links not followed. Raises OSError for an unreadable one."""

    def refuse(error: OSError) -> None:
        raise error

    for top, folders, files in os.walk(folder, onerror=refuse):
        folders.sort()
        yield from (Path(top, name) for name in sorted([*folders, *files]))


def _digest(entries: list[Entry]) -> str:
    """Return a digest of names, modes and contents, in place of a layer's."""
    rows = "\n".join(f"{e.path} {e.kind} {e.mode:o} {e.link} {e.digest}" for e in entries)
    return f"sha256:{hashlib.sha256(rows.encode(errors='surrogateescape')).hexdigest()}"
