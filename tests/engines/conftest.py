"""One machine of the newest release for all tests here."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from tests.engines import machine
from tests.engines.machine import Machine

NEWEST = "forky"


@pytest.fixture(scope="package")
def newest(client: docker.DockerClient) -> Iterator[Machine]:
    with machine.machine(client, NEWEST) as started:
        done = started.run("scripts/venv.sh")
        assert done.code == 0, done.text
        yield started
