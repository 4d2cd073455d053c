"""The files that differ between two images, written into a folder for other tools to compare.

Images are hostile: only regular files are written, none through a link, and none outside.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.common.errors import DiskError, SutraError
from scripts.engine import client as engine
from scripts.image.inventory import Inventory
from scripts.image.read_layers import LayerError
from scripts.oci import sources
from scripts.oci.compression import BLOCK, unpacked
from scripts.oci.tar_stream import DAMAGE, content, entries, is_tar

BEFORE, AFTER = "before", "after"


def differing(image: Inventory, other: Inventory) -> dict[str, str]:
    """Return the digest of each regular file of `image` that `other` has not, or not the same."""
    return {
        path: entry.digest
        for path, entry in image.files.items()
        if entry.kind == "file" and _digest(other, path) != entry.digest
    }


def _digest(image: Inventory, path: str) -> str:
    entry = image.files.get(path)
    return entry.digest if entry and entry.kind == "file" else ""


def prepare(folder: Path) -> None:
    """Make the folder. Raises SutraError for one that holds something."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise SutraError(f'FILES: not an empty folder "{folder}"', "name one that is not there")
    except OSError as error:
        raise DiskError(
            f'FILES: cannot be a folder "{folder}": {error.strerror}', "name another"
        ) from error


def write(
    client: engine.Client | None, image: Inventory, digests: Mapping[str, str], folder: Path
) -> int:
    """Write files of an image (path → digest) below `folder`; return how many there are."""
    source = sources.find(client, image.reference)
    if source is None:
        raise SutraError(f'diff: no such image "{image.reference}"', "`docker images` lists them")
    digests_left, written = dict(digests), 0
    try:
        for _, blob in source.blobs({}):
            stored, layer = unpacked(blob)
            if stored.start and (stored.is_packed or is_tar(stored.start)):
                written += _of_layer(layer, digests_left, folder)
    except DAMAGE as error:
        raise LayerError(f"{source.damaged}: {error}", source.tip) from error
    return written


def _of_layer(layer: Any, digests_left: dict[str, str], folder: Path) -> int:
    """Write the files of a layer that have a digest in `digests_left`, and remove it there."""
    written = 0
    for member, archive in entries(layer):
        path = posixpath.normpath(member.name.lstrip("/"))
        if not member.isreg() or path not in digests_left or path.split("/")[0] in ("..", "."):
            continue
        place = folder / path
        if _write(content(member, archive), place) == digests_left[path]:
            del digests_left[path]
            written += 1
        else:  # another layer's file of that name is the one that a container sees
            place.unlink()
    return written


def _write(file: Any, place: Path) -> str:
    """Write one file and return its digest. Raises DiskError."""
    digest = hashlib.sha256()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as out:
            while block := file.read(BLOCK):
                digest.update(block)
                out.write(block)
    except OSError as error:
        raise DiskError(
            f'FILES: cannot write "{place}": {error.strerror}', "free some space, or name another"
        ) from error
    return f"sha256:{digest.hexdigest()}"
