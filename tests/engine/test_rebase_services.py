"""`make rebase` on a real engine: a service of one file, on a base of another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from scripts.engine import images
from tests.support import project as projects
from tests.support.project import Project

SERVICE = """FROM {base}:prod
COPY content /content
LABEL org.opencontainers.image.base.name={base}:prod
"""
DIGEST = "org.opencontainers.image.base.digest"


@dataclass
class Pair:
    """A project of a base and a service on it."""

    project: Project
    base: str
    client: docker.DockerClient

    def layers(self, name: str) -> list[str]:
        return list(self.client.images.get(name).attrs["RootFS"]["Layers"])

    def ids(self) -> dict[str, str]:
        return {
            tag: str(image["Id"])
            for name in (self.base, self.project.name)
            for image in images.every(self.client, name=name)
            for tag in image["RepoTags"] or ()
            if ":kept-" not in tag
        }

    def write_base(self, content: str, user: str = "7") -> None:
        self.project.write("of-the-base", content)
        self.project.write("Dockerfile.base", f"FROM scratch\nCOPY of-the-base /\nUSER {user}\n")

    def rebase(self, **knobs: str) -> tuple[int, str]:
        done = self.project.run("rebase", **knobs)
        return done.returncode, done.stderr


@pytest.fixture
def pair(
    project: Project, client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pair]:
    monkeypatch.chdir(project.folder)
    base = f"{project.name}-base"
    created = Pair(project, base, client)
    catalog = Path("images.yaml").read_text()
    entry = catalog[catalog.index(f"  {project.name}:") :]
    project.write("images.yaml", catalog + entry.replace(project.name, base))
    project.write("docker-bake.hcl", projects.ON_A_BASE.format(base=base, name=project.name))
    project.write("Dockerfile", SERVICE.format(base=base))
    created.write_base("one")
    done = project.run("prod")
    assert done.returncode == 0, done.stderr[-3000:]
    yield created
    projects.remove(Project(project.folder, base), client)


def test_the_service_gets_the_new_base_and_keeps_its_own_layers(pair: Pair) -> None:
    name = pair.project.name
    before = pair.layers(f"{name}:prod")
    pair.write_base("two, of a security update")
    pair.project.write("content", "not built")
    code, said = pair.rebase()
    assert code == 0, said
    after, base = pair.layers(f"{name}:latest"), pair.layers(f"{pair.base}:prod")
    assert after == [*base, before[-1]]
    assert base[0] != before[0]
    built = pair.client.images.get(f"{name}:prod")
    assert built.attrs["Config"]["User"] == "7"
    base_id = str(pair.client.images.get(f"{pair.base}:prod").id)
    digests = {base_id, *images.digests_anywhere(pair.client, base_id)}
    assert built.labels[DIGEST] in digests
    assert pair.ids()[f"{name}:latest"] == built.id
    assert not [tag for tag in pair.ids() if ":rebasing-" in tag]
    code, said = pair.rebase(BUILT="1")
    assert (code, said) == (0, "rebase: every service is on the base that is here\n")


def test_a_base_that_breaks_it_is_refused_and_no_tag_moves(pair: Pair) -> None:
    before = pair.ids()
    pair.write_base("two", user="8")
    code, said = pair.rebase()
    assert said.splitlines()[-2:] == [
        f'{pair.project.name}: not on this {pair.base}: another user "8", '
        'the service\'s files are for "7"',
        "tip: `make prod` builds the services on this base; the old tags are where they were",
    ]
    assert code == 1
    assert pair.ids() == before


def test_a_base_that_is_here_with_the_same_layers_and_another_user_is_refused(pair: Pair) -> None:
    pair.write_base("one", user="8")
    done = pair.project.run("build", "bases")
    assert done.returncode == 0, done.stderr[-3000:]
    before = pair.ids()
    code, said = pair.rebase(BUILT="1")
    assert said.splitlines() == [
        f'{pair.project.name}: not on this {pair.base}: another user "8", '
        'the service\'s files are for "7"',
        "tip: `make prod` builds the services on this base; the old tags are where they were",
    ]
    assert code == 1
    assert pair.ids() == before


def test_a_base_that_does_not_pass_is_taken_back(pair: Pair) -> None:
    before = pair.ids()
    pair.write_base("x" * 1_000_001)
    code, said = pair.rebase()
    assert code == 1, said
    assert pair.ids() == before


def test_a_service_on_a_base_that_is_gone(pair: Pair) -> None:
    pair.write_base("two")
    assert pair.project.run("build", "bases").returncode == 0
    for tag in list(pair.ids()):
        if tag.startswith(f"{pair.base}:") and not tag.endswith(":prod"):
            images.untag(pair.client, tag)
    for tag in images.repository_tags(pair.client, pair.base):
        if tag.startswith("kept-"):
            images.untag(pair.client, f"{pair.base}:{tag}")
    assert pair.rebase(BUILT="1") == (
        2,
        f"rebase: {pair.project.name}: its {pair.base} is not here any more\n"
        "tip: `make prod` builds it on the base that is here\n",
    )
