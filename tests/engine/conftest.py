"""A small project on the real engine, and a second engine with the other image store."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from scripts.checks import gate
from scripts.engine import buildx
from tests.support import project as projects
from tests.support import sizes_only
from tests.support.project import Project
from tests.support.tiny import Group


@pytest.fixture
def project(client: docker.DockerClient, tmp_path: Path) -> Iterator[Project]:
    created = projects.make(tmp_path)
    yield created
    projects.remove(created, client)


@pytest.fixture
def group(
    client: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Group]:
    """Three small images to promote; the test is in their folder."""
    promoted = Group(client, tmp_path / "project", uuid.uuid4().hex[:8])
    monkeypatch.chdir(promoted.folder)
    yield promoted
    promoted.remove()


@pytest.fixture
def checks_of_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a promotion check nothing but sizes: the images are a file each."""
    monkeypatch.setattr(gate, "everything", sizes_only.everything)


@pytest.fixture(scope="session")
def other_store(
    client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[docker.DockerClient]:
    """A separate second engine with the store that the first does not use.

    Its own containerd, or it would join the machine's; its own network namespace,
    since an engine without a bridge removes docker0 where it runs.
    """
    if os.geteuid() or not shutil.which("dockerd") or not shutil.which("containerd"):
        pytest.skip("not run here: a second engine takes root, dockerd and containerd")
    folder = tmp_path_factory.mktemp("engine")
    containerd = f"{folder}/containerd.sock"
    config = {
        "hosts": [f"unix://{folder}/docker.sock"],
        "containerd": containerd,
        "data-root": f"{folder}/data",
        "exec-root": f"{folder}/exec",
        "pidfile": f"{folder}/docker.pid",
        "bridge": "none",
        "iptables": False,
        "ip6tables": False,
        "features": {"containerd-snapshotter": not has_containerd_store(client)},
    }
    (folder / "daemon.json").write_text(json.dumps(config))
    (folder / "containerd.toml").write_text(
        f'version = 2\nroot = "{folder}/root"\nstate = "{folder}/state"\n'
        f'[grpc]\naddress = "{containerd}"\n'
    )
    commands = (
        ["containerd", "--config", f"{folder}/containerd.toml"],
        ["unshare", "--net", "dockerd", "--config-file", f"{folder}/daemon.json"],
    )
    started = []
    try:
        with (folder / "log").open("w") as log:
            for command in commands:
                started.append(subprocess.Popen(command, stdout=log, stderr=log))
        second = wait_for(f"unix://{folder}/docker.sock", folder / "log")
        yield second
        second.close()
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)  # a second copy of all images


def has_containerd_store(client: docker.DockerClient) -> bool:
    """Distinguish the two image stores by the driver that `docker info` reports."""
    return ["driver-type", "io.containerd.snapshotter.v1"] in (client.info()["DriverStatus"] or [])


def wait_for(address: str, log: Path) -> docker.DockerClient:
    """Return a client as soon as the engine at `address` answers."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        done = subprocess.run([buildx.find_client(), "-H", address, "version"], capture_output=True)
        if done.returncode == 0:
            return docker.DockerClient(base_url=address, version="auto")
        time.sleep(0.3)
    raise AssertionError(log.read_text()[-2000:])
