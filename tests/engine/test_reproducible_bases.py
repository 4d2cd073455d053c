"""A base's layers are the same bytes in every build, whatever the cache held.

Were they not, a build without cache would leave services on the layers of the base
before it: the same files with other time stamps, which a release would carry twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from scripts.bench import rebuilds
from scripts.engine import images
from tests.support import extent
from tests.support.bake import bake

# `make test` leaves out the one whose builds take minutes
BASES = extent.share(
    whole=("sutra-base-python", "sutra-base-rust-runtime"), fast=("sutra-base-rust-runtime",)
)


@pytest.fixture
def tags(client: docker.DockerClient) -> Iterator[list[str]]:
    """Two tags that only this test uses, removed afterwards from every base."""
    names = [f"test-reproducible-{os.getpid()}-{number}" for number in (1, 2)]
    yield names
    for name in names:
        for base in BASES:
            images.untag(client, f"{base}:{name}")


def layers_of(client: docker.DockerClient, folder: Path, tag: str) -> dict[str, list[str]]:
    """Build the bases in `folder` without cache as `tag`; return the digests of their layers."""
    words = [word for base in BASES for word in ("--set", f"{base}.tags={base}:{tag}")]
    bake(client, folder, *BASES, "--set", "*.no-cache=true", *words)
    return {base: client.images.get(f"{base}:{tag}").attrs["RootFS"]["Layers"] for base in BASES}


def test_two_builds_without_cache_give_the_same_layers(
    client: docker.DockerClient, tags: list[str], tmp_path: Path
) -> None:
    # another checkout, so that no file has this one's time stamp
    folder = tmp_path / "checkout"
    folder.mkdir()
    rebuilds.checkout(folder)
    first = layers_of(client, folder, tags[0])
    assert all(first.values())
    for path in folder.rglob("*"):
        if not path.is_symlink():
            os.utime(path)
    assert layers_of(client, folder, tags[1]) == first
