"""What a workflow tags on the engine is gone afterwards, and what it moved is back."""

from __future__ import annotations

import uuid

import docker
import pytest

from scripts.cleaning.scope import LABEL
from tests.support.tiny import archive
from tests.workflows import engine_tags


def image(client: docker.DockerClient, project: str, tag: str) -> str:
    """Make an image of a project under a tag; return its id."""
    label = [f"LABEL {LABEL}={project}"]
    name = f"sutra-test-{project}"
    client.api.import_image_from_data(
        archive(f"{tag} {uuid.uuid4()}"), repository=name, tag=tag, changes=label
    )
    return str(client.images.get(f"{name}:{tag}").id)


def move_and_fail(client: docker.DockerClient, project: str) -> None:
    """Move one tag twice, take another away, add a third, and end with KeyError."""
    name = f"sutra-test-{project}"
    with engine_tags.put_back(project):
        lost = image(client, project, "prod")
        new = image(client, project, "kept-1")
        client.api.tag(new, name, "prod")
        assert lost in engine_tags.untagged(project)
        client.api.remove_image(f"{name}:latest")
        assert engine_tags.tags(project) == {f"{name}:prod": new, f"{name}:kept-1": new}
        raise KeyError


def test_tags_are_put_back_though_the_run_failed(client: docker.DockerClient) -> None:
    project = uuid.uuid4().hex[:8]
    name = f"sutra-test-{project}"
    first, second = (image(client, project, tag) for tag in ("prod", "latest"))
    before = {f"{name}:prod": first, f"{name}:latest": second}
    assert engine_tags.tags(project) == before
    try:
        with pytest.raises(KeyError):
            move_and_fail(client, project)
        assert engine_tags.tags(project) == before
        with_label = client.images.list(all=True, filters={"label": f"{LABEL}={project}"})
        assert {str(left.id) for left in with_label} == {first, second}
        held = {tag for left in with_label for tag in left.tags if tag.startswith(engine_tags.HELD)}
        assert held == set()
    finally:
        for tag in engine_tags.tags(project):
            client.api.remove_image(tag)
