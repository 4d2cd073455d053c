"""What was made for a test or a measurement alone is removed, and nothing else.

container-structure-test leaves volumes of an image that has one, and a later build images of an
earlier one without a name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from scripts.bench import programs, structure_test
from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.engine import containers, images, leftovers
from tests.support import project as projects
from tests.support.project import Project
from tests.support.tiny import archive

IMAGE = "sutra-test-leftovers:made"
WITH_A_VOLUME = ["VOLUME /data", "USER 10001:10001", 'CMD ["/nothing"]']


@pytest.fixture
def image(client: docker.DockerClient) -> Iterator[str]:
    """An image like the storage's: with a volume, and the file and user that are looked for."""
    name, _, tag = IMAGE.partition(":")
    client.api.import_image_from_data(
        archive("records", "etc/passwd"), repository=name, tag=tag, changes=WITH_A_VOLUME
    )
    yield IMAGE
    images.untag(client, IMAGE)


def on_engine(client: docker.DockerClient) -> set[str]:
    """Return the ids of all containers, images and volumes."""
    rows = [*client.api.containers(all=True), *client.api.images(all=True)]
    volumes = client.api.volumes()["Volumes"] or []
    return {row["Id"] for row in rows} | {volume["Name"] for volume in volumes}


def made_since(client: docker.DockerClient, moment: str, kind: str) -> set[str]:
    """Return what the engine says that it made of a kind since a moment."""
    query = {
        "since": moment,
        "until": now(client),
        "filters": json.dumps({"type": [kind], "event": ["create"]}),
    }
    lines = engine.answer(client, "/events", query).text.splitlines()
    return {str(json.loads(line)["Actor"]["ID"]) for line in lines}


def now(client: docker.DockerClient) -> str:
    return leftovers.moment(client.info()["SystemTime"])


def test_nothing_of_a_structure_test_stays(
    client: docker.DockerClient, image: str, tmp_path: Path
) -> None:
    program = programs.development_tool("container-structure-test")
    before, begun = on_engine(client), now(client)
    assert structure_test.seconds(client, program, image, tmp_path) > 0
    volumes = made_since(client, begun, "volume")
    assert len(volumes) == 2  # one for each container; the second is of a committed image
    assert len(made_since(client, begun, "container")) == 2
    assert on_engine(client) == before
    assert images.repository_tags(client, image.partition(":")[0]) == {"made"}


def test_a_program_that_fails_leaves_nothing_either(
    client: docker.DockerClient, image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(structure_test, "CONFIG", structure_test.CONFIG.replace("passwd", "no"))
    program = programs.development_tool("container-structure-test")
    before = on_engine(client)
    with pytest.raises(SutraError, match="bench: failed"):
        structure_test.seconds(client, program, image, tmp_path)
    assert on_engine(client) == before


def test_containers_of_the_image_under_another_name_stay(
    client: docker.DockerClient, image: str
) -> None:
    users = containers.create(client, image)
    try:
        tag = f"{image}-other"
        images.tag(client, image, tag)
        containers.create(client, tag)
        committed = containers.create(client, tag).commit().id
        leftovers.remove_all(client, tag)
        left = {row["Id"] for row in client.api.containers(all=True)}
        names = [row["Id"] for row in client.api.containers(all=True, filters={"ancestor": image})]
        assert (users.id in left, names) == (True, [users.id])
        assert images.inspect(client, str(committed)) is None
        assert images.inspect(client, tag) is None
    finally:
        containers.remove_container(client, str(users.id))


def test_a_project_leaves_no_image_that_lost_its_tag(
    project: Project, client: docker.DockerClient
) -> None:
    built = []
    for content in ("one", "two"):
        project.write("content", f"{content} {project.name}")
        assert project.run("build").returncode == 0
        built.append(str(client.images.get(f"{project.name}:prod").id))
    assert images.repository_tags(client, project.name) == {"prod"}
    assert len([image for image in built if images.inspect(client, image)]) == 2
    projects.remove(project, client)
    assert [image for image in built if images.inspect(client, image)] == []
