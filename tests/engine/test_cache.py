"""A cache in Debian's docker-registry on loopback: a tag for each image and branch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support import registries
from tests.support.project import Project


@pytest.fixture(autouse=True)
def _into_the_engine(project: Project) -> None:
    """Name an output for images, as the product's own graph does: a cache is an output, too."""
    bake = (project.folder / "docker-bake.hcl").read_text()
    project.write("docker-bake.hcl", bake.replace("  tags ", '  output = ["type=docker"]\n  tags '))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with registries.registry(tmp_path / "registry") as address:
        yield address


def tags(registry: str) -> set[str]:
    answer = requests.get(f"http://{registry}/v2/team/cache/tags/list", timeout=10)
    return set(answer.json()["tags"])


def test_each_branch_writes_a_tag_of_its_own_and_reads_main_s(
    project: Project, registry: str
) -> None:
    place = f"{registry}/team/cache"
    for branch in ("main", "fix/x"):
        done = project.run("build", CACHE=place, GITHUB_HEAD_REF=branch)
        assert done.returncode == 0, done.stderr[-3000:]
    assert tags(registry) == {f"{project.name}-main", f"{project.name}-fix-x"}
    assert f"importing cache manifest from {place}:{project.name}-main" in done.stderr


def test_a_registry_that_is_gone_costs_only_the_cache(project: Project) -> None:
    gone = f"127.0.0.1:{registries.free_port()}/team/cache"
    done = project.run("build", CACHE=gone)
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_place_that_is_neither_registry_nor_folder_is_reported_first(project: Project) -> None:
    done = project.run("build", CACHE="cache")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        'CACHE: neither host/path nor a folder "cache"',
        "tip: such as CACHE=registry.example/sutra-cache or CACHE=./cache",
    ]
