"""A builder gets the locked packages, dependencies too, or its build ends with one line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import docker
import pytest

from scripts.build import root_image
from scripts.build.failure import failure
from scripts.common import platforms, settings
from scripts.engine import buildx
from tests.conftest import ROOT

# libmpc3 needs libmpfr6 and libgmp10; small, and in no root image
PACKAGE, NEEDED = "libmpc3", "libmpfr6"
DOCKERFILE = f"""\
FROM debian:trixie-slim
ARG APT_MIRROR
RUN --mount=type=bind,source=lib,target=/mnt/lib \\
    --mount=type=bind,source=builders.lock,target=/mnt/builders.lock \\
    --mount=type=secret,id=ca \\
    /mnt/lib/apt.sh install \\
      {PACKAGE} \\
 && dpkg-query -W -f '${{Package}} ${{Version}}\\n' {PACKAGE} {NEEDED} \\
 && ! ls /etc/apt/preferences.d/* /etc/apt/apt.conf.d/99sutra-* 2>/dev/null
"""
LOCK = ROOT / "base-images/builders.lock"


@pytest.fixture
def context(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "base-images/lib", tmp_path / "lib")
    shutil.copy(LOCK, tmp_path)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    return tmp_path


def build(client: docker.DockerClient, context: Path) -> subprocess.CompletedProcess[str]:
    """Build without a result."""
    root = root_image.context(client, root_image.root_image(buildx.bake_plan(["bases"], {})))
    words = ["--no-cache", "--progress=plain", "--output=type=cacheonly"]
    words += [f"--build-arg=APT_MIRROR={os.environ.get('APT_MIRROR', '')}"]
    words += [f"--build-context=debian:trixie-slim={root}"] if root else []
    if bundle := settings.ca_bundle(os.environ):
        words += [f"--secret=type=file,id=ca,src={bundle}"]
    command = [buildx.find_client(), "buildx", "build", *words, str(context)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def locked(name: str) -> re.Match[str]:
    machine = platforms.own_architecture()
    match = re.search(rf"^{name} (\S+) {machine} ([0-9a-f]{{64}})$", LOCK.read_text(), re.MULTILINE)
    assert match
    return match


def test_what_is_locked_is_installed(client: docker.DockerClient, context: Path) -> None:
    done = build(client, context)
    assert done.returncode == 0, done.stderr[-3000:]
    for name in (PACKAGE, NEEDED):
        assert f" {name} {locked(name)[1]}\n" in done.stderr


@pytest.mark.parametrize("fault", ["bytes", "version", "line"])
def test_a_dependency_that_is_not_what_is_locked(
    client: docker.DockerClient, context: Path, fault: str
) -> None:
    line, version, digest = locked(NEEDED).group(0, 1, 2)
    changed, problem = {
        "bytes": (
            line.replace(digest, "0" * 64),
            f'"{NEEDED}" {version} has another SHA-256 than is locked: {digest}',
        ),
        "version": (
            line.replace(version, "9.9"),
            f'"{NEEDED}" 9.9 is no longer on the mirror, which has {version}',
        ),
        "line": ("", f'no "{NEEDED}" for {line.split()[2]}'),
    }[fault]
    lock = context / "builders.lock"
    lock.write_text(lock.read_text().replace(line, changed))
    done = build(client, context)
    assert done.returncode
    error = failure(done.stderr.splitlines())
    assert error.message == f"build: builders.lock: {problem}"
    assert "`make update ONLY=debian`" in error.tip or "snapshot.debian.org" in error.tip


@pytest.mark.parametrize("text", ["# suite: trixie \n", "", f"# suite: trixie\n{PACKAGE} 1.0\n"])
def test_a_damaged_lock_ends_the_build(
    client: docker.DockerClient, context: Path, text: str
) -> None:
    (context / "builders.lock").write_text(text)
    done = build(client, context)
    assert done.returncode
    error = failure(done.stderr.splitlines())
    assert error.message.startswith("build: builders.lock: ")
    assert error.tip == "`make update ONLY=debian` writes it anew"
    assert "Get:1 " not in done.stderr  # apt's word for a package or list that it fetches
