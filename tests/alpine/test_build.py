"""Every image of images.yaml, built on a real Alpine and held to the same promises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import docker
import pytest

from scripts import catalog, engine, verify
from tests.alpine.conftest import built

TAGS = ("test-again-1", "test-again-2")


def test_every_promise_of_the_catalogue_holds(
    client: docker.DockerClient, images: Mapping[str, str]
) -> None:
    promises = catalog.load(environment={"BASE": "alpine"})
    verdict = verify.everything(client, promises, images)
    assert [result for result in verdict.results if not result.ok] == []
    assert verdict.ids.keys() == images.keys()


@pytest.mark.parametrize("package", ["sutra-api", "sutra-hybrid", "sutra-storage-server"])
def test_the_packages_own_tests_pass(
    client: docker.DockerClient, settings: Mapping[str, str], package: str
) -> None:
    code, lines = engine.bake(["builders", f"{package}-test"], [], settings)
    assert code == 0, lines[-50:]


@pytest.fixture
def twice(client: docker.DockerClient, settings: Mapping[str, str]) -> Iterator[list[list[str]]]:
    """The layers of both bases, of two builds without cache."""
    builds = [built(settings, "bases", tag, "*.no-cache=true") for tag in TAGS]
    yield [
        [
            layer
            for image in each.values()
            for layer in client.images.get(image).attrs["RootFS"]["Layers"]
        ]
        for each in builds
    ]
    for each in builds:
        for reference in each.values():
            engine.untag(client, reference)


def test_two_builds_of_a_base_without_cache_give_the_same_layers(twice: list[list[str]]) -> None:
    first, second = twice
    assert len(first) >= 2
    assert second == first
