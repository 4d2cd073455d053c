"""An image is the same whatever the umask under which its checkout was made."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import docker
import pytest

from tests.conftest import ROOT

UMASKS = (0o022, 0o002, 0o000, 0o077)


def sources(folder: Path, umask: int) -> Path:
    """Copy what git knows, and give the services' sources the modes of that umask.

    What builders mount keeps its modes, so that their cached steps hold.
    """
    made = folder / f"{umask:03o}"
    names = subprocess.run(
        ["git", "ls-files", "base-images", "packages", ".dockerignore"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    for name in names:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, made / name)
    for package in ("sutra-client", "sutra-api"):
        source = made / "packages" / package / "src"
        for path in (source, *source.rglob("*")):
            path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)
    return made


@pytest.mark.usefixtures("production", "development")
def test_an_id_is_the_same_under_every_umask(client: docker.DockerClient, tmp_path: Path) -> None:
    name = f"sutra-test-umask-{os.getpid()}"
    ids = {}
    try:
        for umask in UMASKS:
            folder = sources(tmp_path, umask)
            command = ["docker", "buildx", "build", "-q", "-t", f"{name}:{umask:03o}"]
            command += ["-f", "packages/sutra-api/Dockerfile.prod", "."]
            environment = {**os.environ, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
            subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
            ids[umask] = client.images.get(f"{name}:{umask:03o}").id
    finally:
        for umask in ids:
            client.images.remove(f"{name}:{umask:03o}")
    assert len(set(ids.values())) == 1, ids
