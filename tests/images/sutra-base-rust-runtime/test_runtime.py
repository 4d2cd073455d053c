"""The runtime for dynamically linked Rust servers."""

from __future__ import annotations

from collections.abc import Callable

import docker

from tests.images.conftest import Files

IMAGE = "sutra-base-rust-runtime"


def test_a_dynamic_program_finds_its_libraries(
    client: docker.DockerClient, production: object
) -> None:
    """The loader is the only program here: it loads libgcc and the C library."""
    loader, library = "/lib64/ld-linux-x86-64.so.2", "/usr/lib/x86_64-linux-gnu/libgcc_s.so.1"
    out = client.containers.run(
        f"{IMAGE}:prod", [loader, "--list", library], remove=True, network_mode="none"
    )
    assert "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6" in out.decode()


def test_certificates_and_accounts_are_there(files: Callable[[str], Files]) -> None:
    listing = files(IMAGE)
    assert listing["etc/ssl/certs/ca-certificates.crt"].size > 100_000
    assert listing["etc/passwd"].isreg()


def test_scanners_find_every_package(files: Callable[[str], Files]) -> None:
    records = {path.rpartition("/")[2] for path in files(IMAGE) if "/dpkg/status.d/" in path}
    assert {"base-files", "ca-certificates", "libc6", "libgcc-s1"} <= records
