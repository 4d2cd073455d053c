"""A service's layers are the same bytes in every build; `make reproduce` reports those that differ.

The long form builds each service twice from two checkouts whose files have other time stamps; the
fast form is an image of one file, with differences planted (each kind is in tests/unit/reproduce).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from scripts.bench import rebuilds
from scripts.engine import images
from scripts.history.ledger import LEDGER
from scripts.image import inventory
from scripts.reproduce.compare import first_difference
from tests.support.bake import bake
from tests.support.project import Project
from tests.unit.fakes import run_git

SERVICES = ("sutra-api", "sutra-hybrid", "sutra-storage-server")
EPOCH = "1700000000"
BAKE = """
variable "VERSION" {{ default = "" }}
variable "REVISION" {{ default = "" }}
variable "CREATED" {{ default = "" }}
group "prod" {{ targets = ["{name}"] }}
target "{name}" {{
  args = {{ VERSION = VERSION, REVISION = REVISION, CREATED = CREATED }}
  tags = ["{name}:prod"]
}}
"""
LABELS = """ARG VERSION
ARG REVISION
ARG CREATED
LABEL org.opencontainers.image.version=${VERSION} \\
      org.opencontainers.image.revision=${REVISION} \\
      org.opencontainers.image.created=${CREATED}
"""
COMMITTED = "2024-05-06 05:08:09"  # what tests.unit.fakes.run_git commits at, in UTC


@pytest.fixture
def committed(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """One file, copied as the checkout has it."""
    monkeypatch.chdir(project.folder)
    project.write("docker-bake.hcl", BAKE.format(name=project.name))
    project.write("Dockerfile", f"FROM scratch\nCOPY content /content\n{LABELS}")
    project.write(".gitignore", ".build\n.cache\n")
    # BuildKit's cache ignores time stamps: equal bytes of another test would bring theirs along
    project.write("content", project.name)
    run_git("init")
    run_git("add", ".")
    run_git("commit", "-m", "one")
    (project.folder / "content").chmod(0o644)
    subprocess.run(["touch", "-d", f"{COMMITTED} UTC", "content"], check=True)
    return project


def reproduce(project: Project, **knobs: str) -> tuple[int, str]:
    done = project.run("reproduce", project.name, **knobs)
    shown = [line for line in done.stderr.splitlines() if line.startswith(project.name)]
    return done.returncode, "\n".join(shown) or done.stdout


def test_what_was_promoted_is_built_again_without_moving_a_tag(
    committed: Project, client: docker.DockerClient
) -> None:
    assert committed.run("prod", ALLOW_DIRTY="").returncode == 0
    before = committed.all_tags(client)
    code, said = reproduce(committed)
    identity = client.images.get(f"{committed.name}:prod").id
    assert said.startswith(f"identical: {committed.name} {identity} (1 layers, built again in ")
    assert code == 0
    assert committed.all_tags(client) == before
    # the files of the commit count, not those in the folder
    committed.write("content", "of today")
    assert reproduce(committed, DIGEST=str(identity))[0] == 0


def test_the_first_file_that_differs_is_named_with_how(
    committed: Project, client: docker.DockerClient
) -> None:
    os.utime("content", (0, 0))
    Path("content").chmod(0o600)
    assert committed.run("prod", ALLOW_DIRTY="").returncode == 0
    assert reproduce(committed) == (
        1,
        f"{committed.name}: layer 1 of 1: content: mode 0600, now 0644; "
        f"mtime 1970-01-01 00:00:00, now {COMMITTED}",
    )


def test_an_engine_of_another_store_builds_the_same_image(
    committed: Project, client: docker.DockerClient, other_store: docker.DockerClient
) -> None:
    """Each store writes its own manifest, and knows the image by another id."""
    assert committed.run("prod", ALLOW_DIRTY="").returncode == 0
    reference = f"{committed.name}:prod"
    here = str(client.images.get(reference).id)
    with images.saved(client, reference) as stream:
        other_store.images.load(stream)
    there = str(other_store.images.get(reference).id)
    assert there != here
    ledger = committed.folder / LEDGER
    ledger.write_text(ledger.read_text().replace(here, there))
    socket = vars(other_store.api)["_custom_adapter"].socket_path
    code, said = reproduce(committed, DOCKER_HOST=f"unix://{socket}")
    assert said.startswith(f"identical: {committed.name} {there} (1 layers, built again in ")
    assert code == 0


def test_an_image_of_no_commit_cannot_be_built_again(committed: Project) -> None:
    committed.write("content", "changed")
    assert committed.run("prod").returncode == 0
    revision = run_git("rev-parse", "HEAD")
    done = committed.run("reproduce", committed.name)
    assert (done.returncode, done.stderr) == (
        2,
        f'reproduce: {committed.name}: of no clean commit "{revision}-dirty"\n'
        "tip: only what was built from a commit can be built from it again\n",
    )


def test_an_image_that_was_never_promoted_is_reported(committed: Project) -> None:
    done = committed.run("reproduce", committed.name)
    assert (done.returncode, done.stderr) == (
        2,
        f'reproduce: "{committed.name}" was not promoted (by .build/history.jsonl)\n'
        "tip: `make history` shows what was promoted\n",
    )


# ---- the services ----------------------------------------------------------


@pytest.fixture
def tags(client: docker.DockerClient) -> Iterator[list[str]]:
    names = [f"test-reproducible-{os.getpid()}-{number}" for number in (1, 2)]
    yield names
    for name in names:
        for service in SERVICES:
            images.untag(client, f"{service}:{name}")


@pytest.mark.long
@pytest.mark.parametrize("service", SERVICES)
def test_two_builds_of_a_service_give_the_same_image(
    client: docker.DockerClient,
    tags: list[str],
    tmp_path: Path,
    service: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    builds = []
    for number, tag in enumerate(tags):
        folder = tmp_path / f"checkout-{number}" / ("deeper" * number)
        folder.mkdir(parents=True)
        rebuilds.checkout(folder)
        for path in folder.rglob("*"):
            if not path.is_symlink():
                os.utime(path, (number * 1000.0, number * 1000.0))
        words = ["--set", f"{service}.no-cache=true", "--set", f"{service}.tags={service}:{tag}"]
        bake(client, folder, service, *words)
        image = inventory.read(client, f"{service}:{tag}")
        assert image is not None
        builds.append(image)
    assert first_difference(builds[0], builds[1]) == ""
    assert builds[0].id == builds[1].id
