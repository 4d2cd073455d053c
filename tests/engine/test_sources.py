"""One image is the same when it is read from the engine, from files or from a registry."""

from __future__ import annotations

import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from scripts.common import platforms
from scripts.image import inventory
from scripts.image.inventory import Inventory
from tests.support import registries
from tests.support.oci import entry, layer


@pytest.fixture(scope="module")
def image(client: docker.DockerClient) -> Iterator[str]:
    """An image of two layers, built from nothing: by import, and by commit of a container."""
    name = f"sutra-test-sources-{uuid.uuid4().hex[:8]}:1"
    tar = layer(
        entry("app", kind=tarfile.DIRTYPE, mode=0o755),
        entry("app/main.py", b"print()\n" * 1000),
        entry("app/link", kind=tarfile.SYMTYPE, link="main.py"),
        entry("etc/passwd", b"root:x:0:0::/:/none\n"),
    )
    subprocess.run(
        ["docker", "import", "--change", "USER 10001:10001", "-", name], input=tar, check=True
    )
    container = client.containers.create(name, command=["/nothing"])
    try:
        container.put_archive("/", layer(entry("app/more.py", b"x" * 500)))
        container.commit(*name.split(":"))
    finally:
        container.remove(v=True)
    yield name
    client.images.remove(name)


@pytest.fixture(scope="module")
def expected(
    client: docker.DockerClient, image: str, tmp_path_factory: pytest.TempPathFactory
) -> Inventory:
    contents = inventory.read(client, image, tmp_path_factory.mktemp("cache"))
    assert contents
    return contents


def same(actual: Inventory | None, expected: Inventory) -> bool:
    assert actual
    assert actual.config["config"]["User"] == "10001:10001"
    return (
        actual.files,
        actual.architecture,
        [(x.diff_id, x.installed) for x in actual.layers],
    ) == (
        expected.files,
        expected.architecture,
        [(x.diff_id, x.installed) for x in expected.layers],
    )


def test_the_engines_image(expected: Inventory) -> None:
    assert expected.files["app/main.py"].size == 8000
    assert expected.files["app/more.py"].size == 500
    assert expected.text("etc/passwd") == "root:x:0:0::/:/none\n"
    resolved = expected.resolve("/app/link")
    assert resolved
    assert resolved.path == "app/main.py"


def test_an_image_of_another_platform_has_its_history(
    client: docker.DockerClient, tmp_path: Path
) -> None:
    """containerd's store unpacks no layer of it, and tells no history of what is packed."""
    name = f"sutra-test-sources-{uuid.uuid4().hex[:8]}:1"
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /app/\nUSER 10001:10001\n")
    other = next(
        architecture
        for architecture in platforms.ARCHITECTURES
        if architecture != platforms.own_architecture()
    )
    command = ["docker", "buildx", "build", "--builder", "default", "--quiet", "--tag", name]
    command += ["--provenance=false", "--platform", f"linux/{other}", "--load", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    try:
        contents = inventory.read(client, name, tmp_path / "cache")
        assert contents
        assert contents.architecture == other
        assert contents.config["config"]["User"] == "10001:10001"
        steps = [step["created_by"] for step in contents.config["history"]]
        assert [step.partition(" #")[0] for step in steps] == [
            "COPY Dockerfile /app/",
            "USER 10001:10001",
        ]
    finally:
        client.images.remove(name)


def test_a_saved_archive_and_its_layout(image: str, expected: Inventory, tmp_path: Path) -> None:
    file, folder = tmp_path / "saved.tar", tmp_path / "layout"
    subprocess.run(["docker", "save", image, "-o", str(file)], check=True)
    assert same(inventory.read(None, str(file), tmp_path / "one"), expected)
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="data")
    if not (folder / "oci-layout").exists():
        pytest.skip("not run here: engines before 25 save no layout")
    assert same(inventory.read(None, f"oci:{folder}", tmp_path / "two"), expected)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    """A real registry on loopback."""
    with registries.registry(tmp_path) as address:
        yield address


def test_a_registry(
    client: docker.DockerClient, image: str, hub: str, expected: Inventory, tmp_path: Path
) -> None:
    pushed = f"{hub}/team/{image}"
    assert client.images.get(image).tag(pushed)
    try:
        client.images.push(pushed)
    finally:
        client.images.remove(pushed)
    assert same(inventory.read(None, f"registry:{pushed}", tmp_path / "cache"), expected)
