"""Sizes are the same whatever store an engine keeps its images in."""

from __future__ import annotations

import os
from pathlib import Path

import docker
import pytest

from scripts.image import inventory, read_layers
from scripts.oci import content_store, sources
from tests.engine.conftest import has_containerd_store
from tests.support.archives import blob_sizes
from tests.support.names import IMAGES


@pytest.fixture(scope="module")
def copies(
    client: docker.DockerClient, other_store: docker.DockerClient, production: object
) -> docker.DockerClient:
    """The second engine with all production images loaded into it."""
    for image in IMAGES:
        other_store.images.load(client.api.get_image(f"{image}:prod"))
    return other_store


def test_the_two_engines_have_different_stores(
    client: docker.DockerClient, other_store: docker.DockerClient
) -> None:
    assert has_containerd_store(client) != has_containerd_store(other_store)


@pytest.mark.parametrize("image", IMAGES)
def test_sizes_are_the_same_in_both_stores(
    client: docker.DockerClient, copies: docker.DockerClient, tmp_path: Path, image: str
) -> None:
    first = read_layers.measure(client, f"{image}:prod", tmp_path / "one")
    other = read_layers.measure(copies, f"{image}:prod", tmp_path / "other")
    assert first
    assert other
    assert [(x.diff_id, x.installed) for x in first.layers] == [
        (x.diff_id, x.installed) for x in other.layers
    ]
    # the classic store keeps layers unpacked: their packed size is computed
    assert first.download == pytest.approx(other.download, rel=0.01)


@pytest.mark.parametrize("image", IMAGES)
def test_the_download_size_is_what_a_pull_transfers(
    client: docker.DockerClient, copies: docker.DockerClient, image: str
) -> None:
    """The containerd store holds the blobs that a push sends."""
    compressed = client if has_containerd_store(client) else copies
    measured = read_layers.measure(compressed, f"{image}:prod")
    assert measured
    assert measured.download == blob_sizes(compressed, f"{image}:prod")


@pytest.mark.parametrize("image", IMAGES)
def test_what_is_read_from_the_disk_is_what_the_engine_saves(
    client: docker.DockerClient,
    copies: docker.DockerClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    image: str,
) -> None:
    packed = client if has_containerd_store(client) else copies
    source = sources.find(packed, f"{image}:prod")
    assert source
    if os.geteuid() and not source.files():
        pytest.skip("not run as root, and the engine's store is closed to this user")
    assert source.files()
    on_disk = inventory.read(packed, f"{image}:prod", tmp_path / "disk")
    monkeypatch.setattr(content_store, "find", lambda *_: None)
    saved = inventory.read(packed, f"{image}:prod", tmp_path / "saved")
    assert on_disk
    assert saved
    assert on_disk.layers == saved.layers
    assert on_disk.architecture == saved.architecture
    assert [step["created_by"] for step in on_disk.config["history"]] == [
        step["created_by"] for step in saved.config["history"]
    ]
    assert on_disk.labels == saved.labels
    for key in ("User", "Env", "Entrypoint", "Cmd", "Healthcheck", "WorkingDir", "ExposedPorts"):
        assert on_disk.config["config"].get(key) == saved.config["config"].get(key), key
