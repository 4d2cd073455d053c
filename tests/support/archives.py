"""Reading images as streams of files, for tests."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

import docker

from scripts.engine.images import Stream


@contextmanager
def open_container(client: docker.DockerClient, image: str) -> Iterator[tarfile.TarFile]:
    """Open an image's final file system as a forward-only archive; nothing is started."""
    container = client.containers.create(image, command=["/nothing"])
    try:
        # the stubs declare that `export` returns a text, but it yields bytes
        content = cast(IO[bytes], Stream(cast(Iterator[bytes], container.export())))
        with tarfile.open(fileobj=content, mode="r|") as archive:
            yield archive
    finally:
        container.remove(v=True)


def layer_bytes(client: docker.DockerClient, image: str) -> Iterator[bytes]:
    """Yield every layer of an image, uncompressed, and its configuration."""
    saved = io.BytesIO(b"".join(client.api.get_image(image)))
    with tarfile.open(fileobj=saved) as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json") or io.BytesIO())
        for name in [manifest["Config"], *manifest["Layers"]]:
            content = (archive.extractfile(name) or io.BytesIO()).read()
            yield _unpacked(content)


def _unpacked(content: bytes) -> bytes:
    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


def blob_sizes(client: docker.DockerClient, image: str) -> int:
    """Return the bytes of an image's layer blobs as the engine's archive holds them."""
    saved = io.BytesIO(b"".join(client.api.get_image(image)))
    with tarfile.open(fileobj=saved) as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json") or io.BytesIO())
        return sum(archive.getmember(name).size for name in manifest["Layers"])
