"""The storage server is one static binary that names the crates in it."""

from __future__ import annotations

import json
import tarfile
import tomllib
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import docker
import pytest
from elftools.elf.elffile import ELFFile

from tests.images.conftest import Files

IMAGE = "sutra-storage-server"
LOCK = Path(__file__).parents[3] / "packages" / "sutra-storage" / "Cargo.lock"
BINARY = "usr/local/bin/storage_server_simple"
# section with cargo-auditable's list of crates: JSON, compressed by zlib
AUDIT_SECTION = ".dep-v0"


def interpreters(elf: bytes) -> int:
    """Return how many segments of an ELF file name a dynamic loader."""
    segments = ELFFile(BytesIO(elf)).iter_segments()
    return sum(segment["p_type"] == "PT_INTERP" for segment in segments)


def crates(elf: bytes) -> dict[str, str]:
    """Return the crates that a binary says it was built from, as `{name: version}`.

    Raises AssertionError when it says nothing.
    """
    section = ELFFile(BytesIO(elf)).get_section_by_name(AUDIT_SECTION)
    assert section, f"no section {AUDIT_SECTION}"
    packages = json.loads(zlib.decompress(section.data()))["packages"]
    return {package["name"]: package["version"] for package in packages}


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


def test_the_binary_names_its_crates(client: docker.DockerClient, production: object) -> None:
    named = crates(read(client, f"{IMAGE}:prod", f"/{BINARY}"))
    locked = tomllib.loads(LOCK.read_text())["package"]
    assert "axum" in named
    assert named.items() <= {package["name"]: package["version"] for package in locked}.items()


def test_the_check_for_crates_fails_for_a_binary_without(
    client: docker.DockerClient, production: object
) -> None:
    binary = read(client, "sutra-base-python:prod", "/usr/bin/python3.13")
    with pytest.raises(AssertionError, match=r"^no section \.dep-v0"):
        crates(binary)


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
