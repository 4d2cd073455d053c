"""An image's layers packed by zstd at level 19, as a registry gets them with COMPRESSION=zstd.

BuildKit's own levels end at about 9, whatever is asked for, and a second level on one engine
reuses the blobs of the first (FINDINGS of 2026-11); so the layers are packed here, each once, and
kept by the digest of what they hold.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from scripts.common.errors import DiskError
from scripts.common.reference import digits
from scripts.image import size_cache
from scripts.image.read_layers import LayerError, warn_if_slow
from scripts.image.size_cache import CACHE
from scripts.oci.compression import BLOCK, unpacked, zstd
from scripts.oci.manifest import digest_of
from scripts.oci.sources import Source
from scripts.oci.tar_stream import DAMAGE, is_tar

LEVEL = 19
FOLDER = Path(".cache/zstd-19")
KIND = "application/vnd.oci.image.layer.v1.tar+zstd"
# with workers, of any number, zstd writes the same bytes; without one it writes others
OPTIONS = {
    int(zstd.CompressionParameter.compression_level): LEVEL,
    int(zstd.CompressionParameter.checksum_flag): 1,
    int(zstd.CompressionParameter.nb_workers): os.cpu_count() or 1,
}


@dataclass(frozen=True)
class Packed:
    """One layer's file: the digest of what it holds, its own, and its bytes."""

    diff_id: str
    digest: str
    size: int
    path: Path


def packed(source: Source, folder: Path = FOLDER, cache: Path = CACHE) -> dict[str, Packed]:
    """Return an image's layers by diff_id, in order; what is not kept yet is packed.

    Raises LayerError for a layer that is damaged or missing, and DiskError.
    """
    diff_ids = dict.fromkeys(source.diff_ids)
    if missing := [diff_id for diff_id in diff_ids if not _place(folder, diff_id).is_file()]:
        _pack(source, missing, folder, cache)
    return {diff_id: _read(source, diff_id, _place(folder, diff_id)) for diff_id in diff_ids}


def _place(folder: Path, diff_id: str) -> Path:
    return folder / (digits(diff_id) + ".zst")


def _pack(source: Source, missing: list[str], folder: Path, cache: Path) -> None:
    stored = size_cache.recall_stored(cache, source.id)
    layers = size_cache.recalled(source.diff_ids, stored, cache, missing)
    blobs = warn_if_slow(
        source.blobs(layers),
        f"zstd: packing {len(missing)} layers at level {LEVEL}, a minute or two",
    )
    try:
        for _, file in blobs:
            _, content = unpacked(file)
            start = content.read(BLOCK)
            # an archive also holds JSON documents
            if start and (is_tar(start) or not start.startswith(b"{")):
                _write(start, content, folder)
    except DAMAGE as error:
        raise LayerError(f"{source.damaged}: {error}", source.tip) from error


def _write(start: bytes, content: Any, folder: Path) -> None:
    with _partial(folder) as (file, path):
        hashed = hashlib.sha256()
        with zstd.ZstdFile(file, "wb", options=OPTIONS) as packer:
            block = start
            while block:
                hashed.update(block)
                packer.write(block)
                block = content.read(BLOCK)
        file.close()
        path.replace(_place(folder, hashed.hexdigest()))


@contextmanager
def _partial(folder: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """Open a file that is renamed when it is whole, and gone otherwise."""
    path = folder / f"partial-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            yield file, path
    except OSError as error:
        raise DiskError(
            f'zstd: cannot write "{path}": {error.strerror}', "free some space (`df -h .`)"
        ) from error
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _read(source: Source, diff_id: str, path: Path) -> Packed:
    """Return a kept layer, unpacked once more: what is pushed holds what was checked."""
    if not path.is_file():
        raise LayerError(f"{source.missing}: {diff_id}", source.tip)
    data = path.read_bytes()
    try:
        held = digest_of(zstd.decompress(data))
    except zstd.ZstdError:
        held = ""
    if held != diff_id:
        path.unlink()
        raise LayerError(
            f'zstd: damaged "{path}"', "run the same command again: it is packed again"
        )
    return Packed(diff_id, digest_of(data), len(data), path)
