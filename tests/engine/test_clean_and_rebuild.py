"""`./clean-and-rebuild.sh` on a project of one small file: new images first, the old ones after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from scripts.cleaning.scope import LABEL
from scripts.common.labels import TITLE
from scripts.engine import images
from tests.support.project import Project

BAKE = """
variable "SUTRA_PROJECT" {{ default = "sutra" }}
group "prod" {{ targets = ["{name}"] }}
group "dev" {{ targets = ["{name}-dev"] }}
target "{name}" {{
  tags   = ["{name}:prod"]
  labels = {{ "org.sutra.project" = SUTRA_PROJECT }}
}}
target "{name}-dev" {{ tags = ["{name}:dev"] }}
"""
DEPLOY = '#!/bin/sh\necho deployed "$@" >>deployed\nexit $(cat code)\n'


@pytest.fixture
def once(project: Project, client: docker.DockerClient) -> Iterator[Project]:
    """A project that was built and promoted once, then changed and built, not promoted."""
    project.write("docker-bake.hcl", BAKE.format(name=project.name))
    project.write("Dockerfile", f'FROM scratch\nLABEL {TITLE}="{project.name}"\nCOPY content /\n')
    project.write("sutra-deploy.sh", DEPLOY)
    (project.folder / "sutra-deploy.sh").chmod(0o755)
    project.write("code", "0")
    assert run(project, "prod") == 0
    project.write("content", "y" * 1000)
    assert run(project, "build") == 0
    project.write("content", "z" * 1000)
    yield project
    for image in images.every(client, filters={"label": f"{LABEL}={project.name}"}):
        if set(image["RepoTags"] or ()) <= {"<none>:<none>"}:
            client.api.remove_image(image["Id"], noprune=True)


def run(project: Project, module: str, *words: str) -> int:
    done = project.run(module, *words, SUTRA_PROJECT=project.name)
    (project.folder / "said").write_text(done.stdout + done.stderr)
    return done.returncode


def tag(client: docker.DockerClient, project: Project, name: str) -> str | None:
    image = images.inspect(client, f"{project.name}:{name}")
    return image["Id"] if image else None


def deployments(folder: Path) -> str:
    return (folder / "deployed").read_text() if (folder / "deployed").exists() else ""


def test_the_new_is_deployed_and_the_old_removed(
    once: Project, client: docker.DockerClient
) -> None:
    promoted, unpromoted = tag(client, once, "latest"), tag(client, once, "prod")
    assert promoted != unpromoted
    assert run(once, "rebuild", "--yes", "--all") == 0, (once.folder / "said").read_text()
    now = tag(client, once, "latest")
    assert now == tag(client, once, "prod")
    assert now not in (None, promoted, unpromoted)
    assert deployments(once.folder) == "deployed up\n"
    assert images.inspect(client, str(promoted)) is None
    assert images.inspect(client, str(unpromoted)) is None


@pytest.mark.parametrize("words", [[], ["--all", "--data", "--free-space-first"]])
def test_a_build_that_fails_leaves_latest_and_the_stack(
    once: Project, client: docker.DockerClient, words: list[str]
) -> None:
    promoted = tag(client, once, "latest")
    once.write("Dockerfile", "FROM scratch\nCOPY nothing /\n")
    assert run(once, "rebuild", "--yes", *words) == 2
    assert "build: step failed" in (once.folder / "said").read_text()
    assert tag(client, once, "latest") == promoted
    assert deployments(once.folder) == ""
    # unless space was asked for, the image that nobody promoted is still there
    assert bool(tag(client, once, "prod")) is not bool(words)


def test_an_image_over_its_budget_leaves_latest_and_the_stack(
    once: Project, client: docker.DockerClient
) -> None:
    promoted = tag(client, once, "latest")
    once.write("content", "z" * 1_000_001)
    assert run(once, "rebuild", "--yes") == 1
    assert (
        (once.folder / "said")
        .read_text()
        .endswith("clean-and-rebuild: stopped, nothing more was removed\n")
    )
    assert tag(client, once, "latest") == promoted
    assert deployments(once.folder) == ""


def test_a_stack_that_does_not_become_healthy_keeps_the_old_images(
    once: Project, client: docker.DockerClient
) -> None:
    promoted, unpromoted = tag(client, once, "latest"), tag(client, once, "prod")
    once.write("code", "1")
    assert run(once, "rebuild", "--yes", "--all") == 1
    assert deployments(once.folder) == "deployed up\n"
    for image in (promoted, unpromoted):
        assert images.inspect(client, str(image))


def test_nobody_to_ask_changes_nothing(once: Project, client: docker.DockerClient) -> None:
    before = {name: tag(client, once, name) for name in ("prod", "latest")}
    assert run(once, "rebuild", "--all") == 2
    assert {name: tag(client, once, name) for name in ("prod", "latest")} == before
    assert deployments(once.folder) == ""
