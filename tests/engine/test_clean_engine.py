"""The clean-up on an engine full of look-alikes removes only one project's resources.

Images are imported and committed, not built; every name carries the token of this run.
"""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import NotFound

from scripts.cleaning import resources
from scripts.cleaning.resource import Resource, Selection
from scripts.cleaning.scope import COMPOSE_LABEL, LABEL, Scope
from scripts.common.labels import TITLE
from scripts.engine import buildx, disk_usage, images
from tests.conftest import ROOT
from tests.unit.fakes import tar_of

BAKE = """
group "prod" {{ targets = ["{name}-api", "{name}-base"] }}
group "dev" {{ targets = ["{name}-api-dev"] }}
target "{name}-api" {{ tags = ["{name}-api:prod"] }}
target "{name}-base" {{ tags = ["{name}-base:prod"] }}
target "{name}-api-dev" {{ tags = ["{name}-api:dev"] }}
"""


@dataclass
class World:
    """Things on the engine by a short name, and the folder of the project to clean."""

    client: docker.DockerClient
    folder: Path
    name: str
    ids: dict[str, str] = field(default_factory=dict)
    containers: list[str] = field(default_factory=list)

    @property
    def other(self) -> str:
        return f"{self.name}-other"

    def image(self, short: str, labels: Mapping[str, str], *tags: str) -> str:
        """Import an image with unique content."""
        source = io.BytesIO(tar_of({"content": uuid.uuid4().bytes})).getvalue()
        changes = [f"LABEL {key}={value}" for key, value in labels.items()]
        answer = self.client.api.import_image_from_data(source, changes=changes)
        self.ids[short] = str(answer).rpartition('"status":"')[2].partition('"')[0]
        for tag in tags:
            repository, _, version = tag.rpartition(":")
            self.client.api.tag(self.ids[short], repository, version)
        return self.ids[short]

    def container(self, short: str, image: str, labels: Mapping[str, str], **more: Any) -> None:
        created = self.client.containers.create(
            image, ["/nothing"], name=f"{self.name}-{short}", labels=dict(labels), **more
        )
        self.ids[short] = str(created.id)
        self.containers.append(str(created.id))

    def derived(self, short: str, image: str, *tags: str) -> None:
        """Commit a container: an image that inherits the labels and adds a step."""
        container = self.client.containers.create(image, ["/nothing"])
        try:
            committed = self.client.api.commit(str(container.id), changes=["ENV THEIRS=1"])
        finally:
            container.remove()
        self.ids[short] = committed["Id"]
        for tag in tags:
            repository, _, version = tag.rpartition(":")
            self.client.api.tag(committed["Id"], repository, version)

    def there(self) -> set[str]:
        """Return the short names of everything that the engine still has."""
        return {short for short in self.ids if self.has(short)}

    def has(self, short: str) -> bool:
        """Return whether the engine has it: asking for each is quicker than for all images."""
        api, identity = self.client.api, self.ids[short]
        if short.startswith("network"):
            look: Callable[[str], Any] = api.inspect_network
        elif short.startswith("volume"):
            look = api.inspect_volume
        else:
            look = api.inspect_image if identity.startswith("sha256:") else api.inspect_container
        try:
            look(identity)
        except NotFound:
            return False
        return True

    def tags(self) -> set[str]:
        """Return every tag that carries the token of this run."""
        ours = images.every(self.client, filters={"reference": f"*{self.name}*"})
        return {tag for image in ours for tag in image["RepoTags"] or []}

    def run(self, *words: str, module: str = "clean") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "scripts", module.replace("_", "-"), *words],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "SUTRA_PROJECT": self.name}

    def remove(self) -> None:
        """Remove what is left: containers first, and an image before the one below it."""
        api = self.client.api
        for container in self.containers:
            with suppress(NotFound):
                api.remove_container(container, v=True)
        for tag in self.tags():
            api.remove_image(tag, noprune=True)
        for short in reversed([*self.ids]):
            if not self.has(short):
                continue
            if short.startswith("network"):
                api.remove_network(self.ids[short])
            elif short.startswith("volume"):
                api.remove_volume(self.ids[short])
            else:
                api.remove_image(self.ids[short], noprune=True)


OURS = {
    "network",
    "volume",
    "stack",
    "prod",
    "dev",
    "old",
    "promoted",
    "previous",
}


@contextmanager
def populated(client: docker.DockerClient, folder: Path) -> Iterator[World]:
    """Make a project with resources of every kind, among others that look like it."""
    world = World(client, folder, f"sutra-test-clean-{uuid.uuid4().hex[:8]}")
    (folder / "docker-bake.hcl").write_text(BAKE.format(name=world.name))
    (folder / "Dockerfile").write_text("FROM scratch\n")
    try:
        _populate(world)
        yield world
    finally:
        world.remove()


@pytest.fixture
def world(client: docker.DockerClient, tmp_path: Path) -> Iterator[World]:
    """A project whose resources a test may remove."""
    with populated(client, tmp_path) as filled:
        yield filled


@pytest.fixture(scope="module")
def untouched(
    client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """One project for all tests in which nothing may be touched; each checks that itself."""
    with populated(client, tmp_path_factory.mktemp("untouched")) as filled:
        yield filled


def _populate(world: World) -> None:
    name, other, client = world.name, world.other, world.client
    title = {TITLE: f"{name}-api"}
    ours, theirs = {LABEL: name, **title}, {LABEL: other, **title}
    stack = {LABEL: name, COMPOSE_LABEL: name}
    world.image("prod", ours, f"{name}-api:prod")
    world.image("dev", ours, f"{name}-api:dev")
    world.image("old", ours)
    world.image("promoted", ours, f"{name}-api:latest", f"{name}-api:1.4.2")
    world.image("previous", ours, f"{name}-api:kept-0123456789ab")
    world.image("base", ours, f"{name}-base:prod")
    # the look-alikes
    world.image("my", {}, f"my-{name}-api:prod")
    world.image("unlabelled", title, f"{name}-foo:prod")
    world.image("other-project", theirs, f"{other}-api:prod")
    world.image("other-untagged", theirs)
    world.derived("built-on-ours", world.ids["base"], f"{other}-thing:1")
    world.derived("built-on-ours-untagged", world.ids["base"])
    for short, labels in (
        ("", stack),
        ("-same-compose-name", {COMPOSE_LABEL: name}),
        ("-other", {LABEL: other, COMPOSE_LABEL: other}),
        ("-label-alone", {LABEL: name}),
    ):
        world.ids[f"volume{short}"] = client.volumes.create(
            f"{name}_data{short}", labels=labels
        ).name
        network = client.networks.create(f"{name}_network{short}", labels=labels)
        world.ids[f"network{short}"] = str(network.id)
        world.container(f"stack{short}", world.ids["unlabelled"], labels)


def whole_list(world: World) -> str:
    name = world.name
    sizes = {image["Id"]: image["Size"] for image in images.every(world.client, all=True)}

    def line(verb: str, kind: str, short: str, shown: str, reason: str = "") -> str:
        size = sizes[world.ids[short]] if kind == "image" else 0
        amount = f"{size / 1e6:.1f} MB"
        mark = f" {world.ids[short].removeprefix('sha256:')[:12]}" if kind == "image" else ""
        return f"{verb:6}  {kind:9}  {amount:>10}  {shown}{mark}{reason}\n"

    rollback = "  (promoted: rollback needs it)"
    return "".join(
        [
            line("remove", "container", "stack", f"{name}-stack"),
            line("remove", "network", "network", f"{name}_network"),
            line("remove", "image", "dev", f"{name}-api:dev"),
            line("remove", "image", "prod", f"{name}-api:prod"),
            line("remove", "image", "old", f"untagged {name}-api"),
            line("keep", "image", "promoted", f"{name}-api:1.4.2, {name}-api:latest", rollback),
            line("keep", "image", "previous", f"{name}-api:kept-0123456789ab", rollback),
            line("keep", "image", "base", f"{name}-base:prod", "  (another image is built on it)"),
            line(
                "keep",
                "image",
                "built-on-ours-untagged",
                f"untagged {name}-api",
                "  (may be built on ours by another project)",
            ),
            line("keep", "volume", "volume", f"{name}_data", "  (data: --data removes it)"),
        ]
    )


def test_a_dry_run_shows_the_list_and_touches_nothing(untouched: World) -> None:
    before, tags = untouched.there(), untouched.tags()
    done = untouched.run("--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == whole_list(untouched)
    assert (untouched.there(), untouched.tags()) == (before, tags)
    assert before == untouched.ids.keys()


def test_without_a_terminal_nothing_is_touched(untouched: World) -> None:
    before, tags = untouched.there(), untouched.tags()
    done = untouched.run("--data", "--all")
    assert done.returncode == 2
    assert done.stderr == (
        "clean: confirmation needed, but stdin is not a terminal\n"
        "tip: add --yes; nothing was touched\n"
    )
    assert (untouched.there(), untouched.tags()) == (before, tags)


def test_only_the_projects_own_goes(world: World) -> None:
    done = world.run("--yes")
    assert done.returncode == 0, done.stderr
    assert world.ids.keys() - world.there() == {"stack", "network", "prod", "dev", "old"}
    assert world.tags() == {
        f"{world.name}-api:latest",
        f"{world.name}-api:1.4.2",
        f"{world.name}-api:kept-0123456789ab",
        f"my-{world.name}-api:prod",
        f"{world.name}-foo:prod",
        f"{world.name}-base:prod",
        f"{world.other}-api:prod",
        f"{world.other}-thing:1",
    }
    again = world.run("--yes")
    assert again.returncode == 0
    assert {line.split()[0] for line in again.stdout.splitlines()} == {"keep"}


def test_all_and_data_take_what_rollback_needs_and_the_volume(world: World) -> None:
    done = world.run("--yes", "--all", "--data")
    assert done.returncode == 0, done.stderr
    assert world.ids.keys() - world.there() == OURS


def test_what_a_foreign_container_uses_stays(world: World) -> None:
    world.container(
        "guest",
        world.ids["dev"],
        {LABEL: world.other, COMPOSE_LABEL: world.other},
        volumes=[f"{world.name}_data:/data"],
        network=f"{world.name}_network",
    )
    done = world.run("--yes", "--all", "--data")
    assert done.returncode == 0, done.stderr
    assert world.ids.keys() - world.there() == OURS - {"dev", "network", "volume"}
    reason = f"(in use by another project's container {world.name}-guest)"
    assert done.stdout.count(reason) == 3


def test_an_image_that_others_tagged_as_well_keeps_their_tag(world: World) -> None:
    world.client.api.tag(world.ids["dev"], f"{world.other}-copy", "1")
    assert world.run("--yes").returncode == 0
    assert "dev" in world.there()
    assert f"{world.other}-copy:1" in world.tags()
    assert f"{world.name}-api:dev" not in world.tags()


def test_what_comes_and_goes_meanwhile_spoils_no_list(untouched: World) -> None:
    """The engine refuses a list while anybody removes a container, or an image, of it."""
    image, ended = untouched.ids["unlabelled"], threading.Event()

    def containers() -> None:
        api = docker.from_env().api
        for _ in range(2000):
            api.remove_container(api.create_container(image, ["/nothing"])["Id"])
            if ended.is_set():
                return

    def tags() -> None:
        client = docker.from_env()
        for _ in range(2000):
            source = io.BytesIO(tar_of({"content": uuid.uuid4().bytes})).getvalue()
            client.api.import_image_from_data(source, repository=untouched.other, tag="now")
            client.api.remove_image(f"{untouched.other}:now")
            if ended.is_set():
                return

    with ThreadPoolExecutor(2) as others:
        busy = [others.submit(work) for work in (containers, tags)]
        try:
            lists = [listed(untouched) for _ in range(10)]
        finally:
            ended.set()
    assert [future.result() for future in busy] == [None, None]
    assert lists == [lists[0]] * 10
    assert "container" in {item.kind for item in lists[0]}


def listed(world: World) -> list[Resource]:
    """Return what the clean-up would show of this run's project."""
    tags = {f"{world.name}-api:prod", f"{world.name}-api:dev", f"{world.name}-base:prod"}
    scope = Scope(world.name, frozenset(tags))
    return resources.of_project(world.client, scope, Selection(data=False, everything=False))


def test_what_a_container_wrote_is_measured(world: World) -> None:
    container = world.client.containers.get(world.ids["stack"])
    before = disk_usage.written_by(world.client, str(container.id))
    container.put_archive("/", tar_of({"written": bytes(2**21)}))
    written = disk_usage.written_by(world.client, str(container.id)) - before
    assert 2**21 <= written < 2**21 + 2**16  # and what its file system needs for it
    container.remove()
    world.containers.remove(str(container.id))
    assert disk_usage.written_by(world.client, str(container.id)) == 0


def test_a_project_without_anything(untouched: World) -> None:
    before = untouched.there()
    project, untouched.name = untouched.name, "sutra-test-nothing"
    try:
        done = untouched.run("--yes")
    finally:
        untouched.name = project
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == 'clean: nothing of project "sutra-test-nothing" is on this engine\n'
    assert untouched.there() == before


# ---- on a terminal ---------------------------------------------------------


def answered(world: World, words: list[str], *answers: str) -> tuple[int, str]:
    """Run it on a terminal and type the answers; return exit code and all that it shows."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts", "clean", *words],
        cwd=world.folder,
        env=world.environment(),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.close(theirs)
    os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
    shown, _ = process.communicate(timeout=120)
    os.close(ours)
    return process.returncode, shown


@pytest.mark.parametrize(
    "answer", ["", "yess", *(pytest.param(word, marks=pytest.mark.long) for word in ("n", "Y E S"))]
)
def test_anything_but_yes_touches_nothing(untouched: World, answer: str) -> None:
    before = untouched.there()
    code, shown = answered(untouched, [], answer)
    assert code == 2
    assert shown.endswith("clean: not confirmed\ntip: nothing was touched\n")
    assert untouched.there() == before


def test_data_is_asked_for_by_name(world: World) -> None:
    before = world.there()
    code, shown = answered(world, ["--data"], "y", "y")
    assert code == 2
    assert shown.endswith(
        f'clean: not confirmed "{world.name}_data"\n'
        "tip: leave out --data to keep it; nothing was touched\n"
    )
    assert world.there() == before
    code, shown = answered(world, ["--data"], "y", f"{world.name}_data")
    assert code == 0, shown
    assert "volume" not in world.there()


# ---- what a build leaves ---------------------------------------------------


def test_a_cache_mount_of_another_project_stays(world: World, production: object) -> None:
    """The same Dockerfile under two projects' names: two mounts, and one of them goes."""
    (world.folder / "Dockerfile").write_text(
        "FROM sutra-base-python:prod\n"
        "ARG SUTRA_PROJECT=sutra\n"
        "USER 0\n"
        "RUN --mount=type=cache,id=${SUTRA_PROJECT}-mount,target=/mnt/cache "
        """["python3", "-c", "open('/mnt/cache/file', 'w').write('x' * 10**6)"]\n"""
    )
    for project in (world.name, world.other):
        command = [buildx.find_client(), "buildx", "build", "--output", "type=cacheonly", "."]
        command += ["--build-arg", f"SUTRA_PROJECT={project}"]
        done = subprocess.run(command, cwd=world.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert mounts(world) == {f"{world.name}-mount", f"{world.other}-mount"}
    done = world.run("--yes")
    assert done.returncode == 0, done.stderr
    assert f"remove  cache          1.0 MB  mount {world.name}-mount\n" in done.stdout
    assert mounts(world) == {f"{world.other}-mount"}
    project, world.name = world.name, world.other
    try:
        assert world.run("--yes").returncode == 0
    finally:
        world.name = project
    assert mounts(world) == set()


def mounts(world: World) -> set[str]:
    """Return the ids of this run's cache mounts."""
    records = disk_usage.caches_and_volumes(world.client)["BuildCache"]
    matches = (resources.MOUNTED_WITH.search(record.get("Description") or "") for record in records)
    return {match[1] for match in matches if match and match[1].startswith(world.name)}
