"""A real Alpine: its root image, a mirror of its packages, and the images built on them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import docker
import pytest

from scripts.build import bake as build
from scripts.build.failure import failure
from scripts.engine import buildx
from tests.alpine import mirror
from tests.alpine.mirror import REPOSITORY
from tests.alpine.rig import make
from tests.alpine.rig.make import Rig


@pytest.fixture(scope="session")
def rig(client: docker.DockerClient) -> Rig:
    return make.make(client)


@pytest.fixture(scope="session")
def bridge(client: docker.DockerClient) -> str:
    return mirror.bridge(client)


@pytest.fixture(scope="session")
def settings(client: docker.DockerClient) -> Iterator[Mapping[str, str]]:
    """The bake file's variables for a build on Alpine."""
    with mirror.variables(client) as variables:
        yield {**build.variables(os.environ), "BASE": "alpine", **variables}


@pytest.fixture(scope="session")
def bases(client: docker.DockerClient, settings: Mapping[str, str]) -> Mapping[str, str]:
    """The base images alone."""
    return built(settings, "bases")


@pytest.fixture(scope="session")
def bases_and_api(
    production: None, bases: Mapping[str, str], settings: Mapping[str, str]
) -> Mapping[str, str]:
    """The base images and one Python service: nothing is compiled for them.

    The service is started beside the storage of `production`.
    """
    return {**bases, **built(settings, "sutra-api")}


@pytest.fixture(scope="session")
def all_images(client: docker.DockerClient, settings: Mapping[str, str]) -> Mapping[str, str]:
    """All images, built on Alpine: references by name. They stay, as the cache does."""
    return built(settings, build.GROUP)


def built(
    settings: Mapping[str, str], target: str, tag: str = "test", *overrides: str
) -> dict[str, str]:
    """Bake `target`; return the reference of each image by its name."""
    wanted = build.requested_tags(buildx.bake_plan([target], settings))
    references = {name: f"{REPOSITORY}/{name}:{tag}" for name in wanted}
    tags = [f"{name}.tags={reference}" for name, reference in references.items()]
    code, lines = buildx.bake([target], [*overrides, *tags], settings)
    if code:
        raise failure(lines)
    return references
