"""One stack for the tests of a module; images are those just built, or SUTRA_TAG's."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from tests.support.stack import Stack, deployed


@pytest.fixture(scope="module")
def stack(client: docker.DockerClient, tag: str) -> Iterator[Stack]:
    with deployed(client, SUTRA_TAG=tag) as started:
        yield started
