"""Tests that every production image must pass."""

from __future__ import annotations

import docker
import pytest

from scripts.catalog import catalog
from scripts.checks.contents import verify as verify_contents
from tests.support.names import IMAGES


@pytest.mark.parametrize("image", IMAGES)
def test_it_keeps_every_rule_about_its_contents(
    client: docker.DockerClient, production: object, image: str
) -> None:
    promises = catalog.load()
    promised = promises.find(image)
    results = verify_contents.verify_one(client, promises, promised, promised.reference)
    assert [result.detail for result in results if not result.ok] == []


@pytest.mark.parametrize("image", IMAGES)
def test_it_runs_as_the_same_user_as_every_other(
    client: docker.DockerClient, production: object, image: str
) -> None:
    assert client.images.get(f"{image}:prod").attrs["Config"]["User"] == "10001:10001"
