"""An image whose layers are pushed packed by zstd; tests/engine has a real registry."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.__main__ import main as front_door
from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.checks.sizes import zstd as zstd_sizes
from scripts.common.errors import SutraError
from scripts.history import ledger
from scripts.history.ledger import Entry, Promoted
from scripts.image import zstd_layers
from scripts.image.read_layers import LayerError
from scripts.oci import sources
from scripts.oci.compression import zstd
from scripts.oci.sources import Source
from scripts.promotion import compression, rollback
from scripts.promotion.options import Options
from tests.unit.fakes import digest, tar_of

REFERENCE = "localhost/team/api:kept-1"
LAYERS = [tar_of({"a": b"first" * 5000}), tar_of({"b": b"second"})]
DIFF_IDS = [digest(layer) for layer in LAYERS]


def source(layers: list[bytes], *more: bytes) -> Source:
    """Return an engine's image: blobs as it saves them, JSON documents among them."""

    def blobs(details: object) -> Iterator[Any]:
        return ((digest(blob), io.BytesIO(blob)) for blob in [b"{}", *layers, *more])

    return Source(
        "sha256:1", tuple(DIFF_IDS), dict, blobs, "engine: damaged", "engine: layer missing"
    )


class Store:
    """The part of a registry that the conversion needs: documents and blobs by digest."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}
        self.uploads: list[str] = []

    def add(self, document: object) -> str:
        data = json.dumps(document).encode()
        self.documents[digest(data)] = data
        return digest(data)

    def manifest(self, reference: str, digest: str) -> bytes:
        return self.documents[digest]

    def blob(self, reference: str, digest: str) -> bytes:
        return self.blobs[digest]

    def has_blob(self, reference: str, digest: str) -> bool:
        return digest in self.blobs

    def upload(self, reference: str, name: str, data: bytes) -> None:
        assert digest(data) == name
        self.blobs[name] = data
        self.uploads.append(name)

    def put_by_digest(self, reference: str, name: str, kind: str, body: bytes) -> None:
        assert (digest(body), json.loads(body)["mediaType"]) == (name, kind)
        self.documents[name] = body

    def move(self, reference: str, name: str) -> None:
        assert name in self.documents
        self.tags[reference] = name


def manifest_of(store: Store, diff_ids: list[str]) -> str:
    config = json.dumps({"rootfs": {"diff_ids": diff_ids}, "config": {"Healthcheck": 1}}).encode()
    store.blobs[digest(config)] = config
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    blobs = [{"mediaType": "x.tar.gzip", "digest": digest(layer), "size": 1} for layer in LAYERS]
    about = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config)}
    return store.add(
        {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {**about, "digest": digest(config)},
            "layers": blobs,
        }
    )


def test_the_config_stays_and_the_layers_are_others(tmp_path: Path) -> None:
    store: Any = Store()
    before = manifest_of(store, DIFF_IDS)
    layers = zstd_layers.packed(source(LAYERS), tmp_path / "z", tmp_path)
    pushed = compression.push(store, REFERENCE, before, layers)
    assert store.tags == {"localhost/team/api:kept-1-zstd": pushed}
    old, new = (json.loads(store.documents[reference]) for reference in (before, pushed))
    assert new["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert new["config"] == {
        **old["config"],
        "mediaType": "application/vnd.oci.image.config.v1+json",
    }
    for layer, content in zip(new["layers"], LAYERS, strict=True):
        assert layer["mediaType"] == "application/vnd.oci.image.layer.v1.tar+zstd"
        data = store.blobs[layer["digest"]]
        assert (len(data), zstd.decompress(data)) == (layer["size"], content)
    assert compression.push(store, REFERENCE, before, layers) == pushed
    assert len(store.uploads) == 2  # those that are there are not sent again


def test_an_index_leads_to_the_new_manifest_and_so_does_its_attestation(tmp_path: Path) -> None:
    store: Any = Store()
    ours, other = manifest_of(store, DIFF_IDS), manifest_of(store, ["sha256:" + "9" * 64])
    statement = store.add({"layers": [], "config": {}})
    notes = {"vnd.docker.reference.type": "attestation-manifest", compression.ABOUT: ours}
    index = store.add(
        {
            "schemaVersion": 2,
            "manifests": [
                {"digest": ours, "size": 1, "platform": {"os": "linux"}},
                {"digest": other, "size": 2, "platform": {"os": "windows"}},
                {"digest": statement, "size": 3, "annotations": notes},
            ],
        }
    )
    layers = zstd_layers.packed(source(LAYERS), tmp_path / "z", tmp_path)
    document = json.loads(store.documents[compression.push(store, REFERENCE, index, layers)])
    assert document["mediaType"] == "application/vnd.oci.image.index.v1+json"
    mine, theirs, about = document["manifests"]
    assert (mine["platform"], mine["size"]) == (
        {"os": "linux"},
        len(store.documents[mine["digest"]]),
    )
    assert mine["digest"] != ours
    assert theirs == {"digest": other, "size": 2, "platform": {"os": "windows"}}
    assert about["digest"] == statement
    assert about["annotations"] == {**notes, compression.ABOUT: mine["digest"]}


def test_an_image_of_other_layers_is_refused(tmp_path: Path) -> None:
    store: Any = Store()
    before = manifest_of(store, ["sha256:" + "9" * 64])
    layers = zstd_layers.packed(source(LAYERS), tmp_path / "z", tmp_path)
    with pytest.raises(SutraError) as caught:
        compression.push(store, REFERENCE, before, layers)
    assert caught.value.message == (
        f'registry: no layer of "{REFERENCE}" is one of the engine\'s image'
    )
    assert store.tags == {}


def test_an_index_that_leads_to_other_layers_alone_is_refused(tmp_path: Path) -> None:
    store: Any = Store()
    other = manifest_of(store, ["sha256:" + "9" * 64])
    layers = zstd_layers.packed(source(LAYERS), tmp_path / "z", tmp_path)
    for children in ([], [{"digest": other, "size": 2}]):
        index = store.add({"schemaVersion": 2, "manifests": children})
        with pytest.raises(SutraError) as caught:
            compression.push(store, REFERENCE, index, layers)
        assert caught.value.message == (
            f'registry: no layer of "{REFERENCE}" is one of the engine\'s image'
        )
    assert store.tags == {}


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"[" * 100_000], ids=range(4))
def test_an_invalid_document_is_one_line(data: bytes) -> None:
    store: Any = Store()
    store.documents[digest(data)] = data
    with pytest.raises(SutraError) as caught:
        compression.push(store, REFERENCE, digest(data), {})
    assert caught.value.message == f'registry: a document of "{REFERENCE}" is no JSON object'
    assert store.tags == {}


# ---- layers -----------------------------------------------------------------


def test_layers_are_packed_once_the_same_each_time_and_whatever_they_came_as(
    tmp_path: Path,
) -> None:
    first = zstd_layers.packed(source(LAYERS), tmp_path / "one", tmp_path)
    assert list(first) == DIFF_IDS
    again = zstd_layers.packed(source([]), tmp_path / "one", tmp_path)  # nothing left to read
    assert again == first
    packed = [gzip.compress(LAYERS[0]), zstd.compress(LAYERS[1])]
    other = zstd_layers.packed(source(packed), tmp_path / "two", tmp_path)
    assert [layer.digest for layer in other.values()] == [layer.digest for layer in first.values()]
    assert sorted(path.suffix for path in (tmp_path / "one").iterdir()) == [".zst", ".zst"]


def test_a_layer_that_is_missing_or_damaged_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LayerError) as caught:
        zstd_layers.packed(source(LAYERS[:1]), tmp_path / "z", tmp_path)
    assert caught.value.message == f"engine: layer missing: {DIFF_IDS[1]}"
    with pytest.raises(LayerError) as caught:
        zstd_layers.packed(source([LAYERS[0], gzip.compress(LAYERS[1])[:-9]]), tmp_path / "z")
    assert caught.value.message.startswith("engine: damaged: ")
    assert [path.suffix for path in (tmp_path / "z").iterdir()] == [".zst"]


def test_a_kept_layer_that_was_damaged_is_never_pushed(tmp_path: Path) -> None:
    layers = zstd_layers.packed(source(LAYERS), tmp_path / "z", tmp_path)
    place = layers[DIFF_IDS[0]].path
    place.write_bytes(zstd.compress(b"other"))
    with pytest.raises(LayerError) as caught:
        zstd_layers.packed(source(LAYERS), tmp_path / "z", tmp_path)
    assert caught.value.message == f'zstd: damaged "{place}"'
    assert zstd_layers.packed(source(LAYERS), tmp_path / "z", tmp_path) == layers


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "z").write_text("a file")
    with pytest.raises(SutraError) as caught:
        zstd_layers.packed(source(LAYERS), tmp_path / "z", tmp_path)
    assert caught.value.message.startswith('zstd: cannot write "')


# ---- budgets ----------------------------------------------------------------


def test_a_size_equal_to_its_budget_is_within_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "find", lambda client, reference: source(LAYERS))
    total = sum(layer.size for layer in zstd_layers.packed(source(LAYERS), tmp_path / "z").values())

    def verified(limit: int | None) -> list[tuple[str, bool, int | None, str]]:
        budget = Budget(1, 1, download_zstd=limit)
        promises = Catalog(Path("images.yaml"), (Image("api", budget),), Budget(1, 1))
        results = zstd_sizes.verify(None, promises, {"api": "api:prod"}, tmp_path / "z")
        return [(result.image, result.ok, result.limit, result.detail) for result in results]

    shown = ("release", True, None, "")
    assert verified(total) == [("api", True, total, ""), shown]
    assert verified(None) == [("api", True, None, ""), shown]
    over = (
        "images.yaml: images.api.budget.download.zstd: "
        'over budget "0.0 MB", 0.0 MB allowed (+1 bytes)'
    )
    assert verified(total - 1) == [("api", False, total - 1, over), shown]


def test_an_image_that_is_not_built_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "find", lambda client, reference: None)
    promises = Catalog(Path("images.yaml"), (Image("api", Budget(1, 1)),), Budget(1, 1))
    with pytest.raises(SutraError) as caught:
        zstd_sizes.verify(None, promises, {"api": "api:prod"}, tmp_path)
    assert caught.value.message == 'images.yaml: images.api: not built "api:prod"'


# ---- the knob, and the ledger -----------------------------------------------


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"COMPRESSION": "lz4", "REGISTRY": "localhost/t"}, 'COMPRESSION: unknown "lz4"'),
        ({"COMPRESSION": "zstd"}, "COMPRESSION: zstd is for a registry, and REGISTRY names none"),
    ],
)
def test_a_wrong_compression_is_one_line(knobs: dict[str, str], message: str) -> None:
    with pytest.raises(SutraError) as caught:
        Options.read(knobs)
    assert caught.value.message == message


def test_a_wrong_compression_is_refused_before_anything_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPRESSION", "lz4")
    with pytest.raises(SutraError, match='COMPRESSION: unknown "lz4"'):
        front_door(["verify-sizes"])  # there is no images.yaml in the folder


ID = "sha256:" + "1" * 64
ENTRY = Entry(
    1,
    "2026-01-01T00:00:00Z",
    "a@b",
    "promote",
    "",
    "",
    "h/t",
    "",
    1,
    0,
    {"latest": 1},
    {"api": Promoted(ID, "sha256:" + "2" * 64, "", 1, 1)},
)


def test_lines_of_gzip_are_as_they_were_and_others_name_their_compression() -> None:
    packed = replace(ENTRY, compression="zstd")
    assert b"compression" not in ENTRY.line()
    assert b'"compression": "zstd"' in packed.line()
    for entry in (ENTRY, packed):
        assert ledger.parse(entry.line(), 1) == entry
    with pytest.raises(ValueError, match="not as promotion writes it"):
        ledger.parse(replace(ENTRY, compression="lz4").line(), 1)


def test_a_rollback_knows_what_was_packed_and_under_which_digest() -> None:
    entries = [ENTRY, replace(ENTRY, number=2, compression="zstd")]
    assert rollback.packed(entries, {1: {"api": ID}}) == {}
    assert rollback.packed(entries, {1: {"api": ID}, 2: {"api": ID}}) == {
        ("api", ID): ENTRY.images["api"].digest
    }
