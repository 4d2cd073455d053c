"""One machine of the newest release for all tests here."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from tests.engines import machine
from tests.engines.machine import Machine

NEWEST = "forky"


@pytest.fixture(scope="package")
def release(client: docker.DockerClient) -> Iterator[str]:
    """The newest release as an image: hundreds of megabytes, which are loaded once."""
    with machine.image(client, NEWEST) as reference:
        yield reference


@pytest.fixture(scope="package")
def newest(client: docker.DockerClient, release: str) -> Iterator[Machine]:
    with machine.running(client, NEWEST, release) as started:
        done = started.run("scripts/venv.sh")
        assert done.code == 0, done.text
        yield started
