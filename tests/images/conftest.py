"""Helpers for tests against built images."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from functools import cache

import docker
import pytest

from tests.support.archives import open_container

Files = dict[str, tarfile.TarInfo]


@pytest.fixture(scope="session")
def files(client: docker.DockerClient, production: object) -> Callable[[str], Files]:
    """The final file system of an image as `{path: entry}`; no container is started."""

    @cache
    def listed(image: str) -> Files:
        with open_container(client, f"{image}:prod") as archive:
            return {member.name: member for member in archive}

    return listed


@pytest.fixture(scope="session")
def python(client: docker.DockerClient, production: object) -> Callable[[str, str], str]:
    """Run a line of Python in a fresh container, hardened as in production; return stdout."""

    def run(image: str, code: str) -> str:
        out = client.containers.run(
            f"{image}:prod",
            ["python3", "-c", code],
            remove=True,
            read_only=True,
            cap_drop=["ALL"],
            network_mode="none",
            security_opt=["no-new-privileges"],
        )
        return str(out.decode()).strip()

    return run
