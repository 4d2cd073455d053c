"""A real Alpine: its root image, a mirror of its packages, and the images built on them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import docker
import pytest

from scripts import build, engine
from tests.alpine.rig import make, mirror
from tests.alpine.rig.make import Rig

# nothing of a user's: neither a tag of theirs is moved, nor a cache of theirs used
REPOSITORY = "sutra-alpine"


@pytest.fixture(scope="session")
def rig(client: docker.DockerClient) -> Rig:
    return make.make(client)


@pytest.fixture(scope="session")
def bridge(client: docker.DockerClient) -> str:
    """The address of this machine that build containers reach."""
    (configuration,) = client.networks.get("bridge").attrs["IPAM"]["Config"]
    return str(configuration["Gateway"])


@pytest.fixture(scope="session")
def alpine_mirror(rig: Rig, bridge: str) -> Iterator[str]:
    with mirror.serving(rig.repository, bridge, rig.name) as address:
        yield address


@pytest.fixture(scope="session")
def settings(rig: Rig, alpine_mirror: str) -> Mapping[str, str]:
    """The bake file's variables for a build on Alpine."""
    return {
        **build.variables(os.environ),
        "ALPINE_MIRROR": alpine_mirror,
        "BASE": "alpine",
        "ROOT_CONTEXT": rig.root,
        "SUTRA_PROJECT": f"{REPOSITORY}-{rig.name}",
    }


@pytest.fixture(scope="session")
def bases(client: docker.DockerClient, settings: Mapping[str, str]) -> Mapping[str, str]:
    """The base images alone."""
    return built(settings, "bases")


@pytest.fixture(scope="session")
def images(client: docker.DockerClient, settings: Mapping[str, str]) -> Mapping[str, str]:
    """All images, built on Alpine: references by name. They stay, as the cache does."""
    return built(settings, build.GROUP)


def built(settings: Mapping[str, str], *targets: str) -> dict[str, str]:
    wanted = build.requested_tags(engine.bake_plan(targets, settings))
    references = {name: f"{REPOSITORY}/{name}:test" for name in wanted}
    overrides = [f"{name}.tags={reference}" for name, reference in references.items()]
    code, lines = engine.bake(targets, overrides, settings)
    if code:
        raise build.failure(lines)
    return references
