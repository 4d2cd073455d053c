"""An image is the same whatever the umask under which its checkout was made."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import docker

from tests.conftest import ROOT
from tests.support import extent
from tests.support.bake import bake

# the usual one and the one that hides most; the others are between them
UMASKS = (0o022, 0o077, *extent.share(whole=(0o002, 0o000), fast=()))


def sources(folder: Path, umask: int) -> Path:
    """Copy the files that git tracks, and give the API's sources the modes of that umask.

    What builders mount keeps its modes, so that their cached steps hold.
    """
    checkout = folder / f"{umask:03o}"
    listed = ["git", "ls-files", "base-images", "packages", ".dockerignore", "docker-bake.hcl"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.split():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    for package in ("sutra-service", "sutra-api"):
        source = checkout / "packages" / package / "src"
        for path in (source, *source.rglob("*")):
            path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)
    return checkout


def test_an_id_is_the_same_under_every_umask(client: docker.DockerClient, tmp_path: Path) -> None:
    name = f"sutra-test-umask-{os.getpid()}"
    ids: dict[int, str] = {}
    try:
        for umask in UMASKS:
            tag = f"{name}:{umask:03o}"
            bake(
                client,
                sources(tmp_path, umask),
                "--load",
                "--set",
                f"sutra-api.tags={tag}",
                "sutra-api",
            )
            ids[umask] = str(client.images.get(tag).id)
    finally:
        for umask in ids:
            client.images.remove(f"{name}:{umask:03o}")
    assert len(set(ids.values())) == 1, ids
