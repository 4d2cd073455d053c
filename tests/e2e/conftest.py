"""One stack for the tests of a module; images are those just built, or SUTRA_TAG's."""

from __future__ import annotations

import os
from collections.abc import Iterator

import docker
import pytest

from tests.support.stack import Stack, deployed


@pytest.fixture(scope="session")
def tag(request: pytest.FixtureRequest) -> str:
    """The tag under test: SUTRA_TAG if it is set, else the production images, built now."""
    if chosen := os.environ.get("SUTRA_TAG"):
        return chosen
    request.getfixturevalue("production")
    return "prod"


@pytest.fixture(scope="module")
def stack(client: docker.DockerClient, tag: str) -> Iterator[Stack]:
    with deployed(client, SUTRA_TAG=tag) as started:
        yield started
