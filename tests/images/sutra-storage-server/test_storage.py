"""The storage server is one static binary."""

from __future__ import annotations

import struct
import tarfile
from collections.abc import Callable
from io import BytesIO

import docker

from tests.images.conftest import Files

IMAGE = "sutra-storage-server"
BINARY = "usr/local/bin/storage_server_simple"
# segment types (elf.h): what a dynamic loader is asked for
PT_INTERP = 3


def interpreters(elf: bytes) -> int:
    """Return how many segments of a 64-bit little-endian ELF file name a dynamic loader."""
    assert elf[:6] == b"\x7fELF\x02\x01"
    (start,) = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    return sum(
        struct.unpack_from("<I", elf, start + size * number)[0] == PT_INTERP
        for number in range(count)
    )


def test_it_holds_nothing_but_the_binary_accounts_and_licences(
    files: Callable[[str], Files],
) -> None:
    made_by_the_engine = {"etc/hosts", "etc/hostname", "etc/resolv.conf", ".dockerenv"}
    regular = {path for path, entry in files(IMAGE).items() if entry.isreg()}
    licences = {path for path in regular if path.startswith(f"usr/share/licenses/{IMAGE}/")}
    rest = regular - made_by_the_engine - licences - {"dev/console"}
    assert rest == {BINARY, "etc/passwd", "etc/group"}
    assert f"usr/share/licenses/{IMAGE}/crates" in licences


def test_the_binary_is_static(client: docker.DockerClient, production: object) -> None:
    assert interpreters(read(client, f"{IMAGE}:prod", f"/{BINARY}")) == 0


def test_the_check_for_static_fails_for_a_dynamic_one(
    client: docker.DockerClient, production: object
) -> None:
    assert interpreters(read(client, "sutra-base-python:prod", "/usr/bin/python3.13")) == 1


def test_the_binary_names_no_folder_of_the_builder(
    client: docker.DockerClient, production: object
) -> None:
    binary = read(client, f"{IMAGE}:prod", f"/{BINARY}")
    assert b"/root/.cargo" not in binary
    assert b"/build/" not in binary


def read(client: docker.DockerClient, image: str, path: str) -> bytes:
    container = client.containers.create(image, command=["/nothing"])
    try:
        chunks, _ = container.get_archive(path)
        with tarfile.open(fileobj=BytesIO(b"".join(chunks))) as archive:
            file = archive.extractfile(archive.getmembers()[0])
            assert file
            return file.read()
    finally:
        container.remove(v=True)
