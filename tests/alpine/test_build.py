"""Every image of images.yaml, built on a real Alpine and held to the same promises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import docker
import pytest

from scripts.catalog import catalog
from scripts.checks import gate
from scripts.engine import buildx, images
from scripts.image import inventory
from tests.alpine.conftest import built
from tests.alpine.mirror import REPOSITORY

pytestmark = pytest.mark.long
TAGS = ("test-again-1", "test-again-2")


def test_the_promises_of_the_bases_and_the_api_hold(
    client: docker.DockerClient, bases_and_api: Mapping[str, str]
) -> None:
    assert len(bases_and_api) == 3
    require_promises(client, bases_and_api)


def test_every_promise_of_the_catalogue_holds(
    client: docker.DockerClient, all_images: Mapping[str, str]
) -> None:
    assert len(all_images) == 5
    require_promises(client, all_images)


def require_promises(client: docker.DockerClient, references: Mapping[str, str]) -> None:
    """Check the images by the catalogue's promises for Alpine."""
    promises = catalog.load(environment={"BASE": "alpine"})
    verdict = gate.everything(client, promises, references)
    assert [result for result in verdict.results if not result.ok] == []
    assert verdict.ids.keys() == references.keys()


def test_numpy_calls_the_openblas_of_scipy(
    client: docker.DockerClient, all_images: Mapping[str, str]
) -> None:
    """By functions of ours (shim-openblas.sh); its own OpenBLAS has 23 MB."""
    image = inventory.read(client, all_images["sutra-hybrid"])
    assert image
    folders = {
        path.split("/")[-2]: image.files[path]
        for path in image.files
        if "/libscipy_openblas" in path
    }
    assert folders.keys() == {"numpy.libs", "scipy.libs"}
    shim, openblas = folders["numpy.libs"], folders["scipy.libs"]
    assert shim.size < 100_000 < 10_000_000 < openblas.size
    assert shim.elf
    assert openblas.path.rpartition("/")[2] in shim.elf.needed


# schemathesis keeps its records in sqlite3, which the stand-in for Python lacks
LEFT_OUT = "--ignore=tests/test_schema.py"


@pytest.mark.parametrize("package", ["sutra-api", "sutra-hybrid", "sutra-storage-server"])
def test_the_packages_own_tests_pass(
    client: docker.DockerClient, settings: Mapping[str, str], package: str
) -> None:
    targets = ["builders", f"{package}-test"]
    # buildx before 0.17 also exports intermediate targets (buildx#2580): use no tag of a user's
    tagged = {
        name
        for name, target in buildx.bake_plan(targets, settings)["target"].items()
        if target.get("tags")
    }
    overrides = [f"{name}.tags={REPOSITORY}/{name}:test" for name in tagged]
    before = tags(client)
    code, lines = buildx.bake(
        targets, [*overrides, f"{package}-test.args.PYTEST_ADDOPTS={LEFT_OUT}"], settings
    )
    assert code == 0, lines[-50:]
    assert tags(client) == before


def tags(client: docker.DockerClient) -> dict[str, str]:
    """All tags that are not the tests' own, with their images."""
    identities = {tag: str(image.id) for image in client.images.list() for tag in image.tags}
    return {
        tag: identity
        for tag, identity in identities.items()
        if not tag.startswith(f"{REPOSITORY}/")
    }


@pytest.fixture
def twice(client: docker.DockerClient, settings: Mapping[str, str]) -> Iterator[list[list[str]]]:
    """The layers of both bases, of two builds without cache."""
    builds = [built(settings, "bases", tag, "*.no-cache=true") for tag in TAGS]
    yield [
        [
            layer
            for image in build.values()
            for layer in client.images.get(image).attrs["RootFS"]["Layers"]
        ]
        for build in builds
    ]
    for build in builds:
        for reference in build.values():
            images.untag(client, reference)


def test_two_builds_of_a_base_without_cache_give_the_same_layers(twice: list[list[str]]) -> None:
    first, second = twice
    assert len(first) >= 2
    assert second == first
