"""Every image of images.yaml, built on a real Alpine and held to the same promises."""

from __future__ import annotations

from collections.abc import Mapping

import docker

from scripts import catalog, verify


def test_every_promise_of_the_catalogue_holds(
    client: docker.DockerClient, images: Mapping[str, str]
) -> None:
    promises = catalog.load(environment={"BASE": "alpine"})
    verdict = verify.everything(client, promises, images)
    assert [result for result in verdict.results if not result.ok] == []
    assert verdict.ids.keys() == images.keys()
