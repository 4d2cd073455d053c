from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from scripts.common.errors import SutraError
from scripts.image import inventory, read_layers
from scripts.image.read_layers import measure
from scripts.oci import content_store, sources
from scripts.oci.layer import Measured
from tests.support.oci import INDEX, LAYER, Blobs
from tests.unit.fakes import FakeEngine, FakeImage, digest, tar_of

BASE, API = tar_of({"usr/lib/base": b"b" * 5000}), tar_of({"app/api": b"a" * 300})
ATTESTED: dict[str, Any] = {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}


class Store:
    """An engine whose images are in a containerd store on this machine, by their manifests."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("ENGINE", "SYSTEM"):
            monkeypatch.setattr(content_store, name, folder / "nothing")
        self.monkeypatch = monkeypatch
        self.engine = FakeEngine(str(folder))
        self.folder = folder / content_store.OF_ENGINE / content_store.BLOBS
        self.folder.mkdir(parents=True)
        self.cache = folder / "cache"

    def add(
        self,
        name: str,
        layers: Sequence[bytes],
        packed: Sequence[bytes] | None = None,
        is_index: bool = False,
        **more: Any,
    ) -> FakeImage:
        """Add an image of that name to the engine and its store."""
        blobs = Blobs()
        top = blobs.image(layers, packed, LAYER if packed is None else LAYER + "+gzip", **more)
        if is_index:
            platform = {"platform": {"os": "linux", "architecture": "amd64"}}
            notes = blobs.image([], **ATTESTED)
            top = blobs.add({"manifests": [top | platform, notes]}, INDEX)
        for blob, content in blobs.items():
            self.place(blob).write_bytes(content)
        image = FakeImage(layers, packed, {"name": name})
        image.id = image.attrs["Id"] = top["digest"]
        self.engine.add(image, name)
        return image

    def place(self, blob: str) -> Path:
        return self.folder / blob.removeprefix("sha256:")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    return Store(tmp_path, monkeypatch)


def sizes(measured: Measured | None) -> list[tuple[str, str, int, int]]:
    assert measured
    return [(x.diff_id, x.blob, x.installed, x.download) for x in measured.layers]


@pytest.mark.parametrize("is_index", [False, True], ids=["manifest", "index"])
def test_the_store_gives_what_the_engine_saves(store: Store, is_index: bool) -> None:
    packed = [gzip.compress(layer, 9, mtime=0) for layer in (BASE, API)]
    store.add("api:prod", [BASE, API], packed, is_index)
    measured = sizes(measure(store.engine, "api:prod", store.cache))
    content = inventory.read(store.engine, "api:prod", store.cache)
    assert store.engine.saves == []
    assert content
    assert sorted(content.files) == ["app/api", "usr/lib/base"]
    assert content.config["config"] == {"User": "10001:10001"}
    plain = FakeEngine()
    plain.add(FakeImage([BASE, API], packed), "api:prod")
    assert measured == sizes(measure(plain, "api:prod", store.cache / "other"))


@pytest.mark.parametrize(
    ("name", "below"), [("SYSTEM", Path()), ("ENGINE", content_store.OF_ENGINE)]
)
def test_a_store_where_most_machines_have_it_is_read(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, below: Path
) -> None:
    store.add("api:prod", [BASE])
    (tmp_path / "default" / below).parent.mkdir(parents=True, exist_ok=True)
    store.folder.parents[2].rename(tmp_path / "default" / below)
    monkeypatch.setattr(content_store, name, tmp_path / "default")
    assert sizes(measure(store.engine, "api:prod", store.cache))
    assert store.engine.saves == []


def test_a_layer_that_is_packed_in_two_ways_is_read_of_each_image(store: Store) -> None:
    worse, better = (gzip.compress(BASE, level, mtime=0) for level in (0, 9))
    store.add("one:prod", [BASE], [worse])
    store.add("two:prod", [BASE], [better])
    names = ["one:prod", "two:prod"]
    read_layers.read_together(store.engine, names, store.cache)
    downloads = [image and image.download for image in map(store_of(store), names)]
    assert downloads == [len(worse), len(better)]
    assert store.engine.saves == []


def store_of(store: Store) -> Callable[[str], Measured | None]:
    return lambda name: measure(store.engine, name, store.cache)


def test_a_layer_that_an_image_has_twice_counts_twice(store: Store) -> None:
    store.add("api:prod", [BASE, API, BASE])
    measured = measure(store.engine, "api:prod", store.cache)
    assert measured
    assert measured.installed == 2 * 5000 + 300
    assert store.engine.saves == []


def test_what_is_known_is_not_read_again(store: Store) -> None:
    store.add("api:prod", [BASE, API])
    before = sizes(measure(store.engine, "api:prod", store.cache))
    for layer in (BASE, API):
        store.place(digest(layer)).write_bytes(b"no longer what it was")
    assert sizes(measure(store.engine, "api:prod", store.cache)) == before


def _without_its_manifest(store: Store, image: FakeImage) -> None:
    store.place(image.id).unlink()


def _with_another_manifest(store: Store, image: FakeImage) -> None:
    store.place(image.id).write_bytes(store.place(image.id).read_bytes() + b" ")


def _without_a_layer(store: Store, image: FakeImage) -> None:
    store.place(digest(API)).unlink()


def _of_other_layers(store: Store, image: FakeImage) -> None:
    """Name it by an index whose image of this platform is another than the engine shows."""
    other = Blobs()
    image.id = image.attrs["Id"] = other.image([BASE, BASE])["digest"]
    for blob, content in other.items():
        store.place(blob).write_bytes(content)
    store.engine.add(image, "api:prod")


def _named_by_its_config(store: Store, image: FakeImage) -> None:
    """Name it as the classic store does, by the digest of another kind of document."""
    config = b'{"rootfs": {"type": "layers", "diff_ids": []}}'
    image.id = image.attrs["Id"] = digest(config)
    store.place(digest(config)).write_bytes(config)
    store.engine.add(image, "api:prod")


def _named_by_no_digest(store: Store, image: FakeImage) -> None:
    image.id = image.attrs["Id"] = "sha256:../../../../etc/passwd"
    store.engine.add(image, "api:prod")


def _with_a_folder_for_its_manifest(store: Store, image: FakeImage) -> None:
    store.place(image.id).unlink()
    store.place(image.id).mkdir()


def _with_a_folder_for_a_layer(store: Store, image: FakeImage) -> None:
    store.place(digest(API)).unlink()
    store.place(digest(API)).mkdir()


def _with_a_pipe_for_a_layer(store: Store, image: FakeImage) -> None:
    store.place(digest(API)).unlink()
    os.mkfifo(store.place(digest(API)))


def _with_an_endless_device_for_a_layer(store: Store, image: FakeImage) -> None:
    store.place(digest(API)).unlink()
    store.place(digest(API)).symlink_to("/dev/zero")


def _with_a_part_of_a_layer(store: Store, image: FakeImage) -> None:
    store.place(digest(API)).write_bytes(API[:-1])


def _with_a_layer_and_a_terabyte_of_holes(store: Store, image: FakeImage) -> None:
    os.truncate(store.place(digest(API)), 1 << 40)


def _with_a_pipe_for_its_manifest(store: Store, image: FakeImage) -> None:
    store.place(image.id).unlink()
    os.mkfifo(store.place(image.id))


def _of_an_engine_elsewhere(store: Store, image: FakeImage) -> None:
    store.engine.base_url = "http://192.0.2.1:2375"


def _of_another_platform_with_the_same_layers(store: Store, image: FakeImage) -> None:
    image.attrs["Architecture"] = "arm64"


def _of_an_engine_that_does_not_describe_itself(store: Store, image: FakeImage) -> None:
    """Refuse what a proxy of a socket refuses that lets images through alone."""

    def refuse() -> None:
        raise APIError("403", explanation="Forbidden")

    store.monkeypatch.setattr(store.engine, "info", refuse)


ASKED_OF_THE_ENGINE = [
    _of_another_platform_with_the_same_layers,
    _of_an_engine_that_does_not_describe_itself,
    _without_its_manifest,
    _with_another_manifest,
    _without_a_layer,
    _with_a_folder_for_a_layer,
    _with_a_pipe_for_a_layer,
    _with_an_endless_device_for_a_layer,
    _with_a_part_of_a_layer,
    _with_a_layer_and_a_terabyte_of_holes,
    _of_other_layers,
    _named_by_its_config,
    _named_by_no_digest,
    _with_a_folder_for_its_manifest,
    _with_a_pipe_for_its_manifest,
    _of_an_engine_elsewhere,
]


@pytest.mark.parametrize("change", ASKED_OF_THE_ENGINE, ids=lambda change: change.__name__)
def test_an_image_that_the_store_has_not_whole_is_asked_of_the_engine(
    store: Store, change: Callable[[Store, FakeImage], None]
) -> None:
    image = store.add("api:prod", [BASE, API])
    change(store, image)
    measured = measure(store.engine, "api:prod", store.cache)
    assert measured
    assert measured.installed == 5300
    assert store.engine.saves == [image.id]


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (gzip.compress(BASE, 0, mtime=0), "content is not that of {blob}"),
        (gzip.compress(tar_of({"evil": b"1"}), 9, mtime=0), "content is not that of {blob}"),
        (gzip.compress(BASE, 9, mtime=0)[:-9], "Compressed file ended before"),
        (b"", "content is not that of {blob}"),
    ],
    ids=["packed otherwise", "another layer", "cut short", "empty"],
)
def test_a_layer_with_other_bytes_than_its_name_says_is_refused(
    store: Store, content: bytes, problem: str, together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It changes once the store was looked at: there it was of the right size."""
    packed = gzip.compress(BASE, 9, mtime=0)
    image = store.add("api:prod", [BASE, API], [packed, gzip.compress(API, 9, mtime=0)])
    source = sources.find(store.engine, "api:prod")
    assert source
    assert source.files()
    monkeypatch.setattr(sources, "find", lambda *_: source)
    store.place(digest(packed)).write_bytes(content)
    if together:
        read_layers.read_together(store.engine, ["api:prod"], store.cache)
    with pytest.raises(SutraError) as caught:
        measure(store.engine, "api:prod", store.cache)
    start = f'engine: archive of "{image.id}" is damaged: '
    assert caught.value.message.startswith(start + problem.format(blob=digest(packed)))
    kept = [file.name for file in store.cache.rglob("*") if file.is_file()]
    assert not [name for name in kept if name.startswith(digest(packed)[7:])]
    assert not [name for name in kept if name.endswith(".partial")]


def test_a_layer_with_other_bytes_of_the_same_size_is_refused(store: Store) -> None:
    image = store.add("api:prod", [BASE, API])
    store.place(digest(API)).write_bytes(API.replace(b"aaa", b"bbb"))
    with pytest.raises(SutraError) as caught:
        measure(store.engine, "api:prod", store.cache)
    problem = f"content is not that of {digest(API)}"
    assert caught.value.message == f'engine: archive of "{image.id}" is damaged: {problem}'


def test_a_part_of_a_store_that_an_engine_left_behind_is_passed_over(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store.add("api:prod", [BASE, API])
    former = tmp_path / "former" / content_store.BLOBS
    shutil.copytree(store.folder, former)
    (former / digest(API).removeprefix("sha256:")).write_bytes(API[:512])
    monkeypatch.setattr(content_store, "SYSTEM", tmp_path / "former")
    assert len(sizes(measure(store.engine, "api:prod", store.cache))) == 2
    assert store.engine.saves == []


@pytest.mark.parametrize("again", range(5))
def test_a_layer_that_one_image_has_packed_in_two_ways_counts_as_its_last(
    store: Store, again: int
) -> None:
    """Whichever was read first: as in a layout, and as the cache tells it afterwards."""
    worse, better = (gzip.compress(BASE, level, mtime=0) for level in (0, 9))
    packed = [better, worse] if again % 2 else [worse, better]
    store.add("api:prod", [BASE, BASE], packed)
    cold, warm = (sizes(measure(store.engine, "api:prod", store.cache)) for _ in range(2))
    assert [download for *_, download in cold] == [len(packed[-1])] * 2
    assert warm == cold


def test_a_layer_that_is_gone_once_it_is_read_is_one_clear_line(store: Store) -> None:
    image = store.add("api:prod", [BASE, API])
    stored = content_store.find(store.engine, image.attrs)
    assert stored
    store.place(digest(API)).unlink()
    blobs = content_store.blobs(stored.layers, {})
    assert next(blobs)[0] == digest(BASE)
    with pytest.raises(SutraError) as caught:
        next(blobs)
    assert caught.value.message == f'engine: layer is gone "{digest(API)}"'
    assert caught.value.tip == "run `make build`"
