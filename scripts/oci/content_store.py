"""Layers of an engine's images as files: the content store of containerd on this machine's disk.

An engine hands out one layer after the other, through its own process and a socket. Where its store
can be read (by root, or by who runs a rootless engine), the same bytes are read from the disk.
Whose store it is does not matter: an image's id is the digest of its manifest or index there, which
names every document and layer by its digest, and each of them is hashed.

https://github.com/containerd/containerd/blob/main/docs/content-flow.md says where blobs are.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from scripts.common.errors import EngineError, SutraError
from scripts.common.reference import DIGEST, digits
from scripts.engine import client as engine
from scripts.oci import docker_archive, manifest
from scripts.oci.layer import Layer

BLOBS = Path("io.containerd.content.v1.content/blobs/sha256")
# folder of the containerd that an engine starts for itself, below the engine's own, and that one
# unless the engine was told another
OF_ENGINE = Path("containerd/daemon")
ENGINE = Path("/var/lib/docker")
# folder of a system's containerd, which engines since version 29 use where it runs
SYSTEM = Path("/var/lib/containerd")


@dataclass(frozen=True)
class StoredLayer:
    """One layer in a store: its digests unpacked and as stored, its stored bytes, its file."""

    diff_id: str
    blob: str
    size: int
    path: Path


@dataclass(frozen=True)
class Stored:
    """An image in a store: its OCI config, whole, and its layers in order."""

    config: manifest.Config
    layers: tuple[StoredLayer, ...]


def find(client: engine.Client, inspected: Mapping[str, Any]) -> Stored | None:
    """Return an image of the engine as a store of this machine has it.

    `inspected` is what the engine knows of it. None where no folder can be read that has all of
    it, and the same: the engine is asked then. A folder may also be of an engine that was here
    before, and have only a part of a layer.
    """
    if not DIGEST.fullmatch(inspected["Id"]):
        return None
    for folder in _folders(client):
        stored = _stored_in(folder, inspected)
        if stored is not None:
            return stored
    return None


def blobs(
    stored: Sequence[StoredLayer], known_layers: Mapping[str, Layer]
) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the layers that are not known, each once. Raises SutraError for one that is gone."""
    for layer in {layer.blob: layer for layer in stored}.values():
        if layer.diff_id not in known_layers:
            if not _is_readable(layer.path):
                raise SutraError(f'engine: layer is gone "{layer.blob}"', "run `make build`")
            with docker_archive.opened(layer.path) as file:
                yield layer.blob, file


def _folders(client: engine.Client) -> Iterator[Path]:
    """Yield where an engine's blobs may be on this machine, none for an engine on another."""
    if engine.is_remote(client):
        return
    yield ENGINE / OF_ENGINE / BLOBS
    yield SYSTEM / BLOBS
    if disk := _disk(client):
        yield disk / OF_ENGINE / BLOBS


@cache
def _disk(client: engine.Client) -> Path | None:
    """Return the engine's own folder, None where it does not say."""
    try:
        return engine.local_disk(client)
    except EngineError:  # a proxy of its socket may let less through: it still hands out images
        return None


def _stored_in(folder: Path, inspected: Mapping[str, Any]) -> Stored | None:
    """Return the image of a folder, None where it has not all of it, or another platform's."""
    identity, diff_ids = inspected["Id"], tuple(inspected["RootFS"].get("Layers") or ())
    if not _is_readable(folder / digits(identity)):
        return None
    try:
        image = _image(folder, identity)
    except SutraError:  # its documents have another form: only the engine can read it
        return None
    platform = image.config.get("os"), image.config.get("architecture")
    if (image.diff_ids, *platform) != (diff_ids, inspected["Os"], inspected["Architecture"]):
        return None
    layers = tuple(
        StoredLayer(diff_id, blob.digest, blob.size, folder / digits(blob.digest))
        for diff_id, blob in zip(image.diff_ids, image.layers, strict=True)
    )
    return Stored(image.config, layers) if all(map(_is_whole, layers)) else None


def _image(folder: Path, identity: str) -> manifest.Image:
    """Return the image of a digest, its documents' bytes checked. Raises SutraError."""
    where = f"{folder}: {identity}"

    def fetch(_: str, digest: str) -> bytes:
        return docker_archive.document(folder / digits(digest))

    top = manifest.Document.parse(where, manifest.fetched(where, "manifests", identity, fetch))
    return manifest.resolve(where, top, identity, fetch)


def _is_whole(layer: StoredLayer) -> bool:
    """Return whether a layer is a file of as many bytes as its manifest says."""
    try:
        status = layer.path.stat()
    except OSError:
        return False
    is_file = stat.S_ISREG(status.st_mode) and _is_readable(layer.path)
    return is_file and status.st_size == layer.size


def _is_readable(path: Path) -> bool:
    return os.access(path, os.R_OK)
