"""What an update transfers: a node that keeps what it pulled, and a registry that counts."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
import requests
from rich.console import Console

from scripts.bench import update
from scripts.bench.update import Row
from scripts.catalog import catalog
from scripts.common.errors import SutraError
from scripts.oci.manifest import digest_of
from tests.unit.bench.test_fresh import saved
from tests.unit.fakes import FakeEngine, FakeImage, tar_of

PROMISES = """
release: {budget: {installed: 1 MB, download: 1 MB}}
images:
  base: {budget: {installed: 1 MB, download: 1 MB}}
  one: {budget: {installed: 1 MB, download: 1 MB, ready: 1 s}}
  two: {budget: {installed: 1 MB, download: 1 MB, ready: 1 s}}
"""
# BYTES do not pack: the base's layer has 30 kB, a service's own 20 kB
BYTES = os.urandom
OLD, NEW = (tar_of({"libssl": BYTES(30_000)}) for _ in range(2))
OWN = {name: tar_of({name: BYTES(20_000)}) for name in ("one", "two")}


class Node(FakeEngine):
    """An engine that pulls over HTTP what it has not, as Docker does."""

    def __init__(self) -> None:
        super().__init__()
        self.blobs: set[str] = set()

    def pull(self, reference: str) -> None:
        address, _, name = reference.removesuffix(":latest").partition("/")
        root = f"http://{address}/v2/{name}"
        manifest = requests.get(f"{root}/manifests/latest", timeout=5).content
        parts = json.loads(manifest)
        for digest in {part["digest"] for part in [parts["config"], *parts["layers"]]} - self.blobs:
            assert digest_of(requests.get(f"{root}/blobs/{digest}", timeout=5).content) == digest
            self.blobs.add(digest)
        self.tags[reference] = digest_of(manifest)


def image(*layers: bytes) -> FakeImage:
    built = FakeImage(layers)
    file = saved(*layers).fileobj
    assert isinstance(file, io.BytesIO)
    built.archive = file.getvalue()
    return built


@pytest.fixture
def promises(tmp_path: Path) -> catalog.Catalog:
    file = tmp_path / "images.yaml"
    file.write_text(PROMISES)
    return catalog.load(file)


@pytest.fixture
def node() -> Node:
    node = Node()
    for name, own in OWN.items():
        node.add(image(OLD, own), f"{name}:latest")
        node.add(image(NEW, own), f"{name}:prod")
    return node


def test_a_node_pulls_what_changed_and_a_shared_layer_once(
    node: Node, promises: catalog.Catalog
) -> None:
    service_one, service_two = update.measure(node, promises)
    assert (service_one.service, service_two.service) == ("one", "two")
    assert 50_000 < service_one.first < 53_000
    assert 20_000 < service_two.first < 23_000
    assert 30_000 < service_one.update < 33_000
    assert 0 < service_two.update < 3_000
    assert sorted(node.tags) == ["one:latest", "one:prod", "two:latest", "two:prod"]


def test_what_is_the_same_costs_its_documents_alone(node: Node, promises: catalog.Catalog) -> None:
    for name in OWN:
        node.tags[f"{name}:prod"] = node.tags[f"{name}:latest"]
    for row in update.measure(node, promises):
        # the configuration is the same blob: the manifest is asked for again
        assert row.update < 700 < row.first


def test_an_image_that_was_never_promoted_is_named(node: Node, promises: catalog.Catalog) -> None:
    del node.tags["two:latest"]
    with pytest.raises(SutraError) as caught:
        update.measure(node, promises)
    assert (caught.value.message, caught.value.tip) == (
        'bench: no such image "two:latest"',
        "`make prod` builds and promotes them",
    )


def test_the_table_ends_with_the_sums() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(update.table([Row("one", 20_000_000, 11_000_000), Row("two", 5_000_000, 4_000)]))
    lines = [line for line in console.export_text().splitlines() if "MB" in line]
    assert [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines] == [
        ["one", "20.0 MB", "11.0 MB"],
        ["two", "5.0 MB", "0.0 MB"],
        ["together", "25.0 MB", "11.0 MB"],
    ]
