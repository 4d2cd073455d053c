"""Read the output of `docker buildx inspect`, as buildx 0.13 and 0.29 print it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.common.errors import SutraError
from scripts.engine import builders
from scripts.engine.builder_nodes import Node
from scripts.engine.builders import Builder
from tests.unit.fakes import FakeEngine, FakeImage

OWN = """\
Name:          default
Driver:        docker
Last Activity: 2026-11-25 21:52:08 +0000 UTC

Nodes:
Name:             default
Endpoint:         default
Status:           running
BuildKit version: v0.13.2
Platforms:        linux/amd64, linux/386
"""
FARM = """\
Name:   farm
Driver: remote

Nodes:
Name:           farm0
Endpoint:       tcp://127.0.0.1:7770
Driver Options: cacert="/etc/buildkit/ca.pem" cert="/etc/buildkit/client.pem"
Status:         running
Buildkit:       v0.34.2

Name:     farm1
Endpoint: tcp://127.0.0.1:7771
Error:    context deadline exceeded
"""
GONE = """\
Name:          gone
Driver:        remote

Nodes:
Name:     gone0
Endpoint: tcp://127.0.0.1:7779
Status:   inactive
"""
MISSING = "`docker buildx ls` lists the builders; docs/build-farm.md shows how to make one"
PROGRAM = """\
#!/bin/sh
[ "$1 $2" = "buildx version" ] && exit 0
printf '%s' "${{BUILDX_BUILDER-unset}}" >{folder}/asked
cat {folder}/answer
cat {folder}/problem >&2
exit {code}
"""


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a `docker` that prints a text and a problem, and exits with a code."""
    for name in ("BUILDER", "BUILDX_BUILDER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER", str(tmp_path / "docker"))
    says(tmp_path, OWN)
    return tmp_path


def says(folder: Path, text: str, problem: str = "", code: int = 0) -> None:
    (folder / "answer").write_text(text)
    (folder / "problem").write_text(problem)
    program = folder / "docker"
    program.write_text(PROGRAM.format(folder=folder, code=code))
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("text", "builder"),
    [
        (
            OWN,
            Builder(
                "default",
                "docker",
                (Node("default", "default", "running", ("linux/amd64", "linux/386")),),
            ),
        ),
        (
            FARM,
            Builder(
                "farm",
                "remote",
                (
                    Node("farm0", "tcp://127.0.0.1:7770", "running"),
                    Node("farm1", "tcp://127.0.0.1:7771", ""),
                ),
            ),
        ),
        (
            GONE,
            Builder("gone", "remote", (Node("gone0", "tcp://127.0.0.1:7779", "inactive"),)),
        ),
        ("", Builder("", "")),
    ],
    ids=["own", "farm", "gone", "nothing"],
)
def test_a_builder_is_read_from_what_buildx_prints(text: str, builder: Builder) -> None:
    assert builders.parse(text) == builder


def test_only_the_driver_docker_is_the_engine() -> None:
    assert builders.parse(OWN).is_engine
    assert not builders.parse(FARM).is_engine
    assert not builders.parse(FARM.replace("remote", "docker-container")).is_engine


@pytest.mark.parametrize(
    ("environment", "builder"),
    [
        ({}, "unset"),
        ({"BUILDER": "farm"}, "farm"),
        ({"BUILDX_BUILDER": "farm"}, "farm"),
        ({"BUILDER": "farm", "BUILDX_BUILDER": "farm"}, "farm"),
    ],
)
def test_buildx_is_asked_for_the_builder_that_is_named(
    answer: Path, environment: dict[str, str], builder: str
) -> None:
    assert builders.find(environment).name == "default"
    assert (answer / "asked").read_text() == builder


def test_a_builder_with_one_node_that_runs_is_taken(answer: Path) -> None:
    says(answer, FARM)
    assert builders.find({"BUILDER": "farm"}).name == "farm"


def test_two_names_for_the_builder_are_refused(answer: Path) -> None:
    with pytest.raises(SutraError) as caught:
        builders.find({"BUILDER": "farm", "BUILDX_BUILDER": "other"})
    assert (caught.value.message, caught.value.tip) == (
        'BUILDER: not the builder that BUILDX_BUILDER names "farm", "other"',
        "set one of the two: `unset BUILDX_BUILDER`",
    )


@pytest.mark.parametrize(
    ("problem", "reason"),
    [('ERROR: no builder "nope" found\n', 'no builder "nope" found'), ("", "no reason given")],
)
def test_a_builder_that_buildx_does_not_know(answer: Path, problem: str, reason: str) -> None:
    says(answer, "", problem, 1)
    with pytest.raises(SutraError) as caught:
        builders.find({"BUILDER": "nope"})
    assert (caught.value.message, caught.value.tip) == (
        f'builder: cannot use "nope": {reason}',
        MISSING,
    )


def test_a_builder_none_of_whose_nodes_answers(answer: Path) -> None:
    says(answer, GONE)
    with pytest.raises(SutraError) as caught:
        builders.find({"BUILDER": "gone"})
    assert (caught.value.message, caught.value.tip) == (
        'builder: no answer from "gone" at tcp://127.0.0.1:7779',
        "check that buildkitd runs there and takes this certificate "
        "(`docker buildx inspect gone`), or build without BUILDER",
    )


def test_a_builder_in_a_container_may_start_with_the_build(answer: Path) -> None:
    says(answer, GONE.replace("remote", "docker-container"))
    builder = builders.find({"BUILDER": "gone"})
    assert builder.driver == "docker-container"
    builders.require_nodes(builder, "")  # raises nothing


def test_the_first_node_must_answer_and_can_be_taken_out() -> None:
    """buildx builds nothing on the others while it waits for the first: 20 seconds."""
    farm = builders.parse(FARM.replace("running", "inactive"))
    with pytest.raises(SutraError) as caught:
        builders.require_nodes(farm, "")
    assert (caught.value.message, caught.value.tip) == (
        'builder: no answer from "farm" at tcp://127.0.0.1:7770',
        "check that buildkitd runs there and takes this certificate "
        "(`docker buildx inspect farm`), or take it out: "
        "`docker buildx create --name farm --leave --node farm0`",
    )


# ---- what came back --------------------------------------------------------

STAGED = {"sutra-api": "sutra-api:building-1"}
REMOTE = builders.parse(FARM)


def held(engine: FakeEngine) -> str:
    """Give the engine the staged image; return its id."""
    engine.add(FakeImage([]), *STAGED.values())
    return engine.tags["sutra-api:building-1"]


@pytest.mark.parametrize("containerd", [True, False])
def test_what_came_back_is_what_was_built(
    engine: FakeEngine, tmp_path: Path, containerd: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id of an image is its manifest's digest or its configuration's, by the store."""
    monkeypatch.setattr("scripts.engine.client.has_containerd_store", lambda client: containerd)
    kinds = ["containerimage.config.digest", "containerimage.digest"]
    identity, metadata = held(engine), tmp_path / "metadata.json"
    written = {kinds[containerd]: identity, kinds[not containerd]: "sha256:of-the-other-kind"}
    metadata.write_text(json.dumps({"sutra-api": written}))
    builders.refuse_other_images(engine, REMOTE, STAGED, metadata)
    metadata.write_text(json.dumps({"sutra-api": {kinds[containerd]: "sha256:other"}}))
    with pytest.raises(SutraError) as caught:
        builders.refuse_other_images(engine, REMOTE, STAGED, metadata)
    assert (caught.value.message, caught.value.tip) == (
        'build: the engine holds another image than "farm" built '
        f'"sutra-api:building-1": {identity}, expected sha256:other',
        "run `make build` again; nothing was tagged",
    )
