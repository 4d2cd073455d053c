"""Tiny services for runtime checks: one Python file on the Python base, in a layer of 1 kB.

Made by `docker commit`, so that no builder is needed; the mode is the command's
last word. A service is healthy once /dev/shm/ready is there, a tmpfs of every container.
"""

from __future__ import annotations

import io
import json
import posixpath
import tarfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import docker
from docker.models.containers import Container

from tests.support import programs
from tests.support.fixture_images import Files, layer

BASE = "sutra-base-python:prod"
SOURCE = programs.text("tiny_service")
HEALTHCHECK = [
    "python3",
    "-c",
    "import os, sys; sys.exit(not os.path.exists('/dev/shm/ready'))",
]


@contextmanager
def image(client: docker.DockerClient, mode: str, *changes: str) -> Iterator[str]:
    """Make the image of a service in `mode`, with more Dockerfile lines; yield its tag."""
    command = json.dumps(["python3", "/srv/service.py", mode])
    lines = [f"CMD {command}", f"HEALTHCHECK CMD {json.dumps(HEALTHCHECK)}", *changes]
    with _committed(client, lambda container: _archive(), lines) as reference:
        yield reference


@contextmanager
def patched(client: docker.DockerClient, path: str, old: bytes, new: bytes) -> Iterator[str]:
    """Make the base with every `old` in a file replaced by `new`, of the same length."""

    def content(container: Container) -> bytes:
        data = b"".join(container.get_archive(path)[0])
        assert old in data
        return data.replace(old, new)  # a tar's checksums are those of its headers alone

    with _committed(client, content, [], posixpath.dirname(f"/{path}")) as reference:
        yield reference


@contextmanager
def on_base(
    client: docker.DockerClient, files: Files, image: str = BASE, place: str = "/"
) -> Iterator[str]:
    """Make `image` with these files below `place`, by default the base."""
    with _committed(client, lambda container: layer(files), [], place, image) as reference:
        yield reference


@contextmanager
def _committed(
    client: docker.DockerClient,
    content: Callable[[Container], bytes],
    changes: list[str],
    place: str = "/",
    image: str = BASE,
) -> Iterator[str]:
    repository = f"sutra-test-runtime-{uuid.uuid4().hex[:8]}"
    container = client.containers.create(image, ["/nothing"])
    try:
        container.put_archive(place, content(container))
        container.commit(repository, "test", changes=changes)
    finally:
        container.remove(v=True)
    try:
        yield f"{repository}:test"
    finally:
        client.images.remove(f"{repository}:test", force=True)


def _archive() -> bytes:
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, mode in (("tmp", 0o1777), ("srv", 0o777), ("data", 0o777)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            archive.addfile(folder)
        file = tarfile.TarInfo("srv/service.py")
        file.size, file.mode = len(SOURCE), 0o644
        archive.addfile(file, io.BytesIO(SOURCE.encode()))
    return tar.getvalue()
