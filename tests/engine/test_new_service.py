"""A service of each language: added, built, tested, verified, changed and removed, for real.

In a clone, so that the checkout stays as it is; its images have a name of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from scripts.engine import images
from tests.conftest import ROOT

# seconds to files, and to a verified image: the second one on cold toolchains and two cores
FILES, VERIFIED = 60, 600
# text of the sample, a person's change of it, and the failure that the tests then show
CHANGES = {
    "go": ("routes.go", '"hello"', '"greeting"'),
    "node": ("src/app.js", "hello: name", "greeting: name"),
    "python": ("src/{module}/app.py", '"hello"', '"greeting"'),
    "rust": ("src/lib.rs", '"hello"', '"greeting"'),
}


@dataclass(frozen=True)
class Service:
    """A service that was added to a clone, and how many seconds that took."""

    clone: Path
    name: str
    language: str
    seconds: float

    @property
    def folder(self) -> Path:
        return self.clone / "packages" / self.name

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return run(self.clone, *words)

    def git(self, *words: str) -> str:
        return git(self.clone, *words)

    def change(self, back: bool = False) -> None:
        """Change the service's answer; its tests still expect the old one."""
        place, old, new = CHANGES[self.language]
        file = self.folder / place.format(module=self.name.replace("-", "_"))
        text = file.read_text()
        wanted = text.replace(new, old) if back else text.replace(old, new)
        assert wanted != text
        file.write_text(wanted)


def run(clone: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = f"{clone}{os.pathsep}{clone}/base-images/lib"
    environment = {**os.environ, "PYTHONPATH": path, "ALLOW_DIRTY": "1", "ALLOW_UNCOMPARED": "1"}
    command = [sys.executable, "-P", "-m", "scripts", *words]
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True)


def git(clone: Path, *words: str) -> str:
    command = ["git", "-C", str(clone), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def service(
    request: pytest.FixtureRequest, client: docker.DockerClient, tmp_path: Path
) -> Iterator[Service]:
    """A new service of a language; its images are removed afterwards."""
    # sorts before the targets of the bases, as no service of the product does
    name, clone = f"acme-test-{uuid.uuid4().hex[:8]}", tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    begun = time.monotonic()
    done = run(clone, "new-service", "--name", name, "--language", request.param)
    assert done.returncode == 0, done.stderr
    yield Service(clone, name, request.param, time.monotonic() - begun)
    images.untag(client, f"{name}:prod")


def built(service: Service, client: docker.DockerClient) -> str:
    """Build the service; return the id of its image."""
    done = service.run("build", service.name)
    assert done.returncode == 0, done.stderr[-3000:]
    image = images.inspect(client, f"{service.name}:prod")
    assert image
    return str(image["Id"])


@pytest.mark.parametrize("service", ["python"], indirect=True)
def test_a_service_is_added_built_checked_and_removed(
    service: Service, client: docker.DockerClient
) -> None:
    built(service, client)
    for command in ("verify-sizes", "verify-contents"):
        done = service.run(command, f"{service.name}:prod", "--as", service.name)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert_removed(service)


@pytest.mark.long
@pytest.mark.parametrize("service", ["python", "go", "rust", "node"], indirect=True)
def test_a_service_is_added_built_verified_changed_and_removed(
    service: Service, client: docker.DockerClient
) -> None:
    begun = time.monotonic()
    assert service.seconds < FILES
    first = built(service, client)
    tests = service.run("build", f"{service.name}-test")
    assert tests.returncode == 0, tests.stderr[-3000:]
    for command in ("verify-sizes", "verify-contents", "verify-runtime"):
        done = service.run(command, f"{service.name}:prod", "--as", service.name)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert time.monotonic() - begun < VERIFIED
    # its tests stop a change that they do not know, and the image has it
    service.change()
    broken = service.run("build", f"{service.name}-test")
    assert broken.returncode == 2, broken.stderr[-3000:]
    assert f'build: step failed "{service.name}-test test' in broken.stderr
    assert built(service, client) != first
    service.change(back=True)
    assert_removed(service)


def assert_removed(service: Service) -> None:
    """Remove the service; nothing of it is left in the clone."""
    assert service.run("remove-service", "--name", service.name, "--yes").returncode == 0
    assert service.git("status", "--short") == ""
    assert not service.folder.exists()
