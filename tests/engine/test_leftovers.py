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

from scripts.bench import programs, rebuilds, structure_test
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


def created_since(client: docker.DockerClient, begun: str, kind: str) -> set[str]:
    """Return the ids of a kind that the engine says it has created since a moment."""
    query = {
        "since": begun,
        "until": leftovers.now(client),
        "filters": json.dumps({"type": [kind], "event": ["create"]}),
    }
    lines = engine.answer(client, "/events", query).text.splitlines()
    return {str(json.loads(line)["Actor"]["ID"]) for line in lines}


@pytest.fixture
def their_volume(client: docker.DockerClient) -> Iterator[str]:
    """Somebody else's anonymous volume."""
    name = client.api.create_volume()["Name"]
    yield name
    client.api.remove_volume(name)


@pytest.mark.usefixtures("their_volume")
def test_nothing_of_a_structure_test_stays(
    client: docker.DockerClient,
    image: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    program = programs.development_tool("container-structure-test")
    before, begun = on_engine(client), leftovers.now(client)
    assert structure_test.seconds(client, program, image, tmp_path) > 0
    volumes = created_since(client, begun, "volume")
    assert len(volumes) == 2  # one for each container; the second is of a committed image
    assert len(created_since(client, begun, "container")) == 2
    assert on_engine(client) == before
    assert images.repository_tags(client, image.partition(":")[0]) == {"made"}
    assert capsys.readouterr().err == ""


def test_a_structure_test_is_timed_with_its_default_command(
    client: docker.DockerClient, image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def timed(command: list[str], environment: object) -> float:
        commands.append(command)
        return 0.5

    monkeypatch.setattr(structure_test, "timed", timed)
    assert structure_test.seconds(client, "program", image, tmp_path) == 0.5
    config = str(tmp_path / "structure.yaml")
    name = commands[0][-1]
    assert commands == [["program", "test", "--config", config, "--image", name]]
    assert images.inspect(client, name) is None


def test_volumes_stay_where_somebody_else_created_one_meanwhile(
    client: docker.DockerClient,
    image: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    theirs: list[str] = []

    def timed(command: list[str], environment: dict[str, str]) -> float:
        theirs.append(client.api.create_volume()["Name"])
        return rebuilds.timed(command, environment)

    monkeypatch.setattr(structure_test, "timed", timed)
    program = programs.development_tool("container-structure-test")
    before, begun = on_engine(client), leftovers.now(client)
    structure_test.seconds(client, program, image, tmp_path)
    left = on_engine(client) - before
    try:
        # the second container's volume is surely its own
        assert (len(created_since(client, begun, "volume")), len(left)) == (3, 2)
        assert set(theirs) < left
        assert capsys.readouterr().err == structure_test.warning(image, 1) + "\n"
    finally:
        for volume in left:
            leftovers.remove_volume(client, volume)
    assert on_engine(client) == before


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
    theirs = containers.create(client, image)
    before = on_engine(client)
    try:
        tagged = leftovers.tag(client, image, f"{image}-other")
        first = containers.create(client, tagged.name)
        committed = str(first.commit().id)
        # the program is killed after it has removed its first container
        first.remove()
        containers.create(client, committed)
        assert leftovers.remove_all(client, tagged) == 0
        assert images.inspect(client, committed) is None
        assert images.inspect(client, tagged.name) is None
        assert on_engine(client) == before
    finally:
        containers.remove_container(client, str(theirs.id))


def test_only_an_anonymous_volume_is_removed(client: docker.DockerClient) -> None:
    named = client.api.create_volume("sutra-test-leftovers")["Name"]
    unused = client.api.create_volume()["Name"]
    try:
        for volume in (named, unused, unused):  # the second time it is gone
            leftovers.remove_volume(client, volume)
        assert {named, unused} & on_engine(client) == {named}
    finally:
        client.api.remove_volume(named)


def test_a_volume_that_a_container_has_stays(client: docker.DockerClient, image: str) -> None:
    container = containers.create(client, image)
    try:
        (mount,) = client.api.inspect_container(str(container.id))["Mounts"]
        leftovers.remove_volume(client, mount["Name"])
        assert mount["Name"] in on_engine(client)
    finally:
        containers.remove_container(client, str(container.id))


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
