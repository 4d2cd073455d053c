"""The services are the same layers from two BuildKits: this engine's, and the newest release.

Each builds from another folder, and the newest one from nothing. It runs in the machine of the
newest Debian, whose own BuildKit is a third one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from scripts.build import bake as build
from scripts.image import inventory
from scripts.image.inventory import Inventory
from scripts.reproduce.compare import first_difference
from tests.conftest import ROOT
from tests.engines import buildkit, matrix
from tests.engines.machine import Machine
from tests.support.bake import bake

SERVICES = ("sutra-api", "sutra-storage-server", "sutra-hybrid")
PROD = "prod"


@pytest.fixture(scope="module")
def farm(newest: Machine) -> Iterator[Machine]:
    """The machine, whose engine is given what a separate BuildKit builds."""
    with newest.engine(containerd_store=False):
        buildkit.start(newest)
        yield newest
        buildkit.stop(newest)


def here(client: docker.DockerClient, service: str, tag: str) -> Inventory:
    """Return the service as this engine's own BuildKit builds it; its cache may have it."""
    words = ["--set", f"{service}.tags={service}:{tag}"]
    with build.untagged_afterwards(client, [f"{service}:{tag}"]):
        bake(client, ROOT, service, *words)
        image = inventory.read(client, f"{service}:{tag}")
    assert image
    return image


def there(machine: Machine, service: str, folder: Path) -> Inventory:
    """Return the service as the separate BuildKit builds it, from nothing."""
    done = machine.run(*matrix.PYTHON, "build", service, BUILDER=buildkit.BUILDER)
    assert done.code == 0, done.text[-3000:]
    saved = machine.run("docker", "save", "--output", "/tmp/saved.tar", f"{service}:{PROD}")
    assert saved.code == 0, saved.text
    archive = folder / "saved.tar"
    archive.write_bytes(machine.read("/tmp/saved.tar"))
    image = inventory.read(None, f"archive:{archive}")
    assert image
    return image


@pytest.mark.long
@pytest.mark.parametrize("service", SERVICES)
def test_two_buildkits_give_the_same_layers(
    client: docker.DockerClient, farm: Machine, tmp_path: Path, service: str
) -> None:
    versions = [
        client.api.version()["Version"],
        farm.run("docker", "buildx", "inspect", buildkit.BUILDER).text,
    ]
    assert buildkit.version() in versions[1]
    assert versions[0] not in versions[1]
    ours = here(client, service, f"test-{tmp_path.name[:40]}")
    two = there(farm, service, tmp_path)
    layers = [[layer.diff_id for layer in image.layers] for image in (ours, two)]
    # labels name another commit, in a machine's own repository
    assert layers[0] == layers[1], first_difference(ours, two)
