"""`make reproduce` says "identical" of every image on a second BuildKit: the newest release.

This engine's own BuildKit builds the images of a commit; the newest one builds each again from
nothing, in the machine of the newest Debian, with the root that this engine built on. Two roots
that are bootstrapped at one time are the same, though Debian's releases differ in mmdebstrap.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import docker
import pytest

from scripts.bench import rebuilds
from scripts.build import bake as build
from scripts.build import bootstrap, root_store
from scripts.engine import buildx, images
from scripts.history.ledger import LEDGER, Entry, Promoted
from tests.conftest import ROOT
from tests.engines import buildkit, matrix
from tests.engines.machine import Machine
from tests.unit.fakes import run_git

IMAGES = (
    "sutra-base-rust-runtime",
    "sutra-base-python",
    "sutra-storage-server",
    "sutra-api",
    "sutra-hybrid",
)
AGAIN = "/again"
IMAGE = "debian:trixie-slim"
# program that makes a root in the machine and prints its digest
BOOTSTRAP = f"""
from pathlib import Path
from scripts.build import bootstrap, root_store
bootstrap.bootstrap("{IMAGE}", Path("/tmp/root/layout"))
print(root_store.digest(Path("/tmp/root/layout")))
"""


@pytest.fixture(scope="module")
def farm(newest: Machine) -> Iterator[Machine]:
    """The machine, whose engine is given what a separate BuildKit builds."""
    with newest.engine(containerd_store=False):
        buildkit.start(newest)
        yield newest
        buildkit.stop(newest)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout's present files as one commit, with the root that is here."""
    folder = tmp_path_factory.mktemp("checkout")
    with chdir(ROOT):
        rebuilds.checkout(folder)
    with chdir(folder):
        run_git("init")
        run_git("add", "--all")
        run_git("commit", "--quiet", "-m", "as it is")
    if (ROOT / ".cache/roots").is_dir():
        shutil.copytree(ROOT / ".cache/roots", folder / ".cache/roots")
    return folder


@pytest.fixture(scope="module")
def promoted(client: docker.DockerClient, farm: Machine, checkout: Path) -> dict[str, str]:
    """The images of the commit as this engine builds them, in the machine's engine; ids by name.

    The machine has the commit, the root, and a ledger that names the images.
    """
    tag = f"test-{os.getpid()}"
    references = {name: f"{name}:{tag}" for name in IMAGES}
    archive = checkout.parent / "images.tar"
    with build.untagged_afterwards(client, list(references.values())):
        build_here(client, checkout, references)
        save(client, list(references.values()), archive)
    farm.put("/tmp", {"images.tar": archive})
    done = farm.run("docker", "load", "--input", "/tmp/images.tar", folder="/")
    assert done.code == 0, done.text
    ids = {
        name: farm.run("docker", "image", "inspect", "-f", "{{.Id}}", reference).text.strip()
        for name, reference in references.items()
    }
    place(farm, checkout, ids)
    return ids


def build_here(client: docker.DockerClient, checkout: Path, references: dict[str, str]) -> None:
    """Build the commit as `make prod` does, under tags of this test; the cache may have it."""
    with chdir(checkout):
        variables = build.variables(os.environ)
        plan = buildx.bake_plan(list(references), variables)
        root = build.root_variable(client, plan)
        overrides = [f"{name}.tags={reference}" for name, reference in references.items()]
        code, lines = buildx.bake(
            list(references), [*overrides, *build.loaded(plan, references)], {**variables, **root}
        )
    assert code == 0, lines


def save(client: docker.DockerClient, references: list[str], archive: Path) -> None:
    with images.saved(client, *references) as stream, archive.open("wb") as sink:
        shutil.copyfileobj(stream, sink)


def place(machine: Machine, checkout: Path, ids: dict[str, str]) -> None:
    """Put the commit, the root and a ledger of the images into the machine."""
    with chdir(checkout):
        revision = run_git("rev-parse", "HEAD")
    entry = Entry(
        number=1,
        at="2026-01-01T00:00:00Z",
        who="test",
        verb="promote",
        version="",
        commit=revision,
        registry="",
        verdict="not verified",
        of=1,
        previous=0,
        tags={"latest": 1},
        images={name: Promoted(identity, "", revision, 1, 1) for name, identity in ids.items()},
    )
    files = [path for path in checkout.rglob("*") if path.is_file() and not path.is_symlink()]
    content: dict[str, bytes | Path] = {str(path.relative_to(checkout)): path for path in files}
    machine.put(AGAIN, content | {str(LEDGER): entry.line()})
    for command in (
        ("ln", "-sfn", "/src/.venv", f"{AGAIN}/.venv"),
        ("git", "reset", "-q", "--hard"),
    ):
        done = machine.run(*command, folder=AGAIN)
        assert done.code == 0, done.text


@pytest.mark.long
@pytest.mark.parametrize("name", IMAGES)
def test_a_second_buildkit_reproduces_the_image(
    client: docker.DockerClient, farm: Machine, promoted: dict[str, str], name: str
) -> None:
    versions = [
        client.api.version()["Version"],
        farm.run("docker", "buildx", "inspect", buildkit.BUILDER).text,
    ]
    assert buildkit.version() in versions[1]
    assert versions[0] not in versions[1]
    done = farm.run(*matrix.PYTHON, "reproduce", name, folder=AGAIN, BUILDER=buildkit.BUILDER)
    assert done.code == 0, done.text[-3000:]
    assert f"identical: {name} {promoted[name]} (" in done.text


@pytest.mark.long
def test_two_versions_of_mmdebstrap_give_the_same_root(newest: Machine, tmp_path: Path) -> None:
    version = ("mmdebstrap", "--version")
    here = subprocess.run(version, capture_output=True, text=True, check=True).stdout
    assert newest.run(*version).text != here
    layout = tmp_path / "layout"
    bootstrap.bootstrap(IMAGE, layout)
    there = newest.run(matrix.PYTHON[0], "-c", BOOTSTRAP)
    assert there.code == 0, there.text[-3000:]
    (digest,) = (line for line in there.text.splitlines() if line.startswith("sha256:"))
    assert digest == root_store.digest(layout)
