"""The index of an image's platforms; tests/engine has a real registry."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts.common.errors import SutraError
from scripts.history.ledger import Entry, Promoted
from scripts.oci.manifest import Document, choose
from scripts.promotion import platform_index
from scripts.promotion.planned import Plan
from tests.support.memory_registry import MemoryRegistry
from tests.unit.fakes import digest

pytestmark = pytest.mark.usefixtures("amd64")
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
AMD64, ARM64 = (
    json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": name}).encode()
    for name in ("amd64", "arm64")
)


class Store(MemoryRegistry):
    """A registry with the manifests of two platforms."""

    def __init__(self) -> None:
        super().__init__()
        self.documents = {digest(document): document for document in (AMD64, ARM64)}
        self.puts: list[str] = []
        self.reads: list[str] = []

    def reference(self, image: str, tag: str) -> str:
        return super().reference(image.removeprefix("arm64/"), tag)

    def manifest(self, reference: str, digest: str) -> bytes:
        self.reads.append(reference)
        return self.documents[digest]

    def has(self, reference: str, digest: str) -> bool:
        return digest in self.documents

    def put_index(self, reference: str, name: str, kind: str, body: bytes) -> None:
        assert (digest(body), json.loads(body)["mediaType"]) == (name, kind)
        self.documents[name] = body
        self.puts.append(reference)


@pytest.fixture
def store() -> Any:
    return Store()


BOTH = {"": digest(AMD64), "arm64": digest(ARM64)}


def descriptor(architecture: str, body: bytes) -> dict[str, Any]:
    return {
        "mediaType": MANIFEST,
        "digest": digest(body),
        "size": len(body),
        "platform": {"architecture": architecture, "os": "linux"},
    }


@pytest.mark.parametrize("order", [("", "arm64"), ("arm64", "")])
def test_an_index_names_each_platform_in_one_order(store: Any, order: tuple[str, ...]) -> None:
    pushed = platform_index.put(
        store, "localhost/team/api:1", {platform: BOTH[platform] for platform in order}
    )
    assert json.loads(store.documents[pushed]) == {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [descriptor("amd64", AMD64), descriptor("arm64", ARM64)],
    }
    assert platform_index.put(store, "localhost/team/api:1", BOTH) == pushed
    assert store.puts == ["localhost/team/api:1"], "what is there is not put again"


def test_an_index_is_made_once_for_all_tags_of_an_image(store: Any) -> None:
    indexes = platform_index.Indexes(store)
    tags = ["localhost/team/api:1", "localhost/team/api:1.4", "localhost/team/api:latest"]
    assert len({indexes.put(tag, BOTH) for tag in tags}) == 1
    assert store.reads == [tags[0]] * 2, "each platform's manifest"
    assert store.puts == [tags[0]]


def test_an_index_is_made_for_each_image_and_each_set_of_manifests(store: Any) -> None:
    indexes = platform_index.Indexes(store)
    alone = {"arm64": BOTH["arm64"]}
    places = ["localhost/team/api:1", "localhost/team/hybrid:1", "localhost:5000/team/api:1"]
    both = [indexes.put(place, BOTH) for place in places]
    assert store.reads == [place for place in places for _ in BOTH]
    index = indexes.put(places[0], alone)
    assert index == platform_index.put(store, places[0], alone) != both[0]


@pytest.mark.parametrize(("wanted", "body"), [("linux/amd64", AMD64), ("linux/arm64", ARM64)])
def test_a_reader_takes_its_platform_from_an_index(
    store: Any, monkeypatch: pytest.MonkeyPatch, wanted: str, body: bytes
) -> None:
    index = store.documents[platform_index.put(store, "localhost/team/api:1", BOTH)]
    monkeypatch.setenv("PLATFORMS", wanted)
    children = Document.parse("index", index).children("manifests")
    assert choose("index", children) == digest(body)


def test_an_index_that_an_engine_pushed_is_not_nested(store: Any) -> None:
    """An engine pushes an index where the image has attestations."""
    child = {"mediaType": MANIFEST, "digest": digest(ARM64), "size": 1, "platform": {}}
    nested = json.dumps({"mediaType": INDEX, "manifests": [child]}).encode()
    store.documents[digest(nested)] = nested
    pushed = platform_index.put(store, "localhost/team/api:1", {"arm64": digest(nested)})
    assert json.loads(store.documents[pushed])["manifests"] == [child]


def test_a_broken_manifest_is_one_clear_line(store: Any) -> None:
    store.documents[digest(ARM64)] = b"<html>"
    with pytest.raises(SutraError) as caught:
        platform_index.put(store, "localhost/team/api:1", BOTH)
    assert caught.value.message == 'registry: "localhost/team/api:1": not JSON'


def entry(*names: str) -> Entry:
    images = {name: Promoted(f"sha256:{name}", "", "", 1, 1) for name in names}
    return Entry(1, "", "", "promote", "", "", "", "", 1, 0, {"latest": 1}, images)


def test_every_platform_of_an_image_has_the_index_in_the_ledger(store: Any) -> None:
    promoted = entry("api", "arm64/api", "base")
    digests = {
        ("api", "sha256:api"): digest(AMD64),
        ("arm64/api", "sha256:arm64/api"): digest(ARM64),
        ("base", "sha256:base"): digest(AMD64),
    }
    index = platform_index.put(store, "localhost/team/api:1", BOTH)
    assert platform_index.of_entry(platform_index.Indexes(store), promoted, digests) == {
        "api": index,
        "arm64/api": index,
        "base": digest(AMD64),
    }


def test_only_tags_that_people_deploy_go_to_an_index(store: Any) -> None:
    wanted = {
        ("api", "kept-1"): "sha256:a",
        ("arm64/api", "kept-2"): "sha256:b",
        ("api", "latest"): "sha256:a",
        ("arm64/api", "latest"): "sha256:b",
        ("base", "latest"): "sha256:c",
        ("arm64/alone", "1.0"): "sha256:d",
    }
    groups = platform_index.groups(store, Plan(entry("api"), (), wanted))
    assert groups["localhost/team/api:latest"] == {
        "": ("api", "sha256:a"),
        "arm64": ("arm64/api", "sha256:b"),
    }
    indexes = [name for name, group in groups.items() if platform_index.is_index(name, group)]
    assert indexes == ["localhost/team/api:latest", "localhost/team/alone:1.0"]
