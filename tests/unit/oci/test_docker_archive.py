"""Images that are files: layouts and archives, good and wrong."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.common.errors import SutraError
from scripts.image import inventory, read_layers
from scripts.oci import docker_archive, sources
from scripts.oci import manifest as oci
from tests.support.oci import (
    INDEX,
    LAYER,
    MANIFEST,
    Blobs,
    config_of,
    entry,
    layer,
    layout_tar,
    saved,
    write_layout,
)
from tests.unit.fakes import FakeEngine, FakeImage, digest, old_archive, tar_of

BASE, API = tar_of({"a": b"x" * 100}), tar_of({"b": b"y" * 50})
AGAIN = "save the image again"
CONFIG = "application/vnd.oci.image.config.v1+json"


def sizes(reference: str, cache: Path) -> list[tuple[str, int]]:
    measured = read_layers.measure(None, reference, cache)
    assert measured
    return [(x.diff_id, x.installed) for x in measured.layers]


WANTED = [(digest(BASE), 100), (digest(API), 50)]


def layout(folder: Path) -> Path:
    blobs = Blobs()
    return write_layout(folder / "layout", blobs, blobs.image([BASE, API]))


def test_a_layout_is_read(tmp_path: Path) -> None:
    place = layout(tmp_path)
    image = inventory.read(None, f"oci:{place}", tmp_path / "cache")
    assert image
    assert sorted(image.files) == ["a", "b"]
    assert image.architecture == "amd64"
    assert image.config["config"] == {"User": "10001:10001"}
    index = json.loads((place / "index.json").read_text())
    assert image.id == index["manifests"][0]["digest"]
    assert sizes(f"oci:{place}", tmp_path / "cache") == WANTED


NO_LAYERS = {
    "architecture": "amd64",
    "os": "linux",
    "config": {},
    "rootfs": {"type": "layers", "diff_ids": None},
}


def test_an_archive_of_an_image_without_layers_is_read_as_docker_writes_it(tmp_path: Path) -> None:
    listed = [{"Config": "c.json", "RepoTags": None, "Layers": None}]
    files = {"c.json": json.dumps(NO_LAYERS).encode(), "manifest.json": json.dumps(listed).encode()}
    (tmp_path / "a.tar").write_bytes(tar_of(files))
    assert sizes(f"archive:{tmp_path}/a.tar", tmp_path / "cache") == []
    image = inventory.read(None, f"archive:{tmp_path}/a.tar", tmp_path / "cache")
    assert image
    assert (dict(image.files), image.layers) == ({}, ())


def test_a_layout_of_an_image_without_layers_is_read(tmp_path: Path) -> None:
    blobs = Blobs()
    config = blobs.add(NO_LAYERS, CONFIG)
    image = blobs.add({"schemaVersion": 2, "config": config, "layers": None}, MANIFEST)
    place = write_layout(tmp_path / "layout", blobs, image)
    assert sizes(f"oci:{place}", tmp_path / "cache") == []


def test_a_cache_vouches_for_no_layer_of_a_layout_that_is_gone(tmp_path: Path) -> None:
    place = layout(tmp_path)
    assert sizes(f"oci:{place}", tmp_path / "cache") == WANTED
    blob = place / "blobs" / "sha256" / digest(API)[7:]
    blob.unlink()
    assert refused(f"oci:{place}", tmp_path) == (
        f"{blob}: cannot be read: No such file or directory",
        "check the path",
    )


@pytest.mark.parametrize("rubbish", [b"", b"{}", b"rubbish", BASE, API + b"\0", API[:-1]])
def test_a_cache_vouches_for_no_layer_of_a_layout_with_other_bytes(
    tmp_path: Path, rubbish: bytes
) -> None:
    place = layout(tmp_path)
    assert sizes(f"oci:{place}", tmp_path / "cache") == WANTED
    (place / "blobs" / "sha256" / digest(API)[7:]).write_bytes(rubbish)
    assert refused(f"oci:{place}", tmp_path) == (
        f"{place}: layer is damaged: content is not that of {digest(API)}",
        AGAIN,
    )


def test_a_cache_vouches_for_no_layer_of_an_archive_with_other_bytes(tmp_path: Path) -> None:
    file = tmp_path / "saved.tar"
    content = saved([BASE, API])
    file.write_bytes(content)
    assert sizes(str(file), tmp_path / "cache") == WANTED
    other = API[:-1] + b"x"
    file.write_bytes(content.replace(API, other))
    assert refused(str(file), tmp_path) == (
        f"{file}: layer is damaged: content is not that of {digest(API)}",
        AGAIN,
    )


def test_a_layout_says_what_a_download_takes(tmp_path: Path) -> None:
    blobs, packed = Blobs(), gzip.compress(BASE, mtime=0)
    place = write_layout(tmp_path / "l", blobs, blobs.image([BASE], [packed], LAYER + "+gzip"))
    image = sources.find(None, f"oci:{place}")
    assert image
    assert image.announced == len(packed)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("scheme", ["", "archive:"])
def test_an_archive_of_docker_is_read(
    tmp_path: Path, pack: Callable[[bytes], bytes], scheme: str
) -> None:
    file = tmp_path / "saved.tar"
    file.write_bytes(pack(saved([BASE, API])))
    assert sizes(f"{scheme}{file}", tmp_path / "cache") == WANTED
    image = sources.find(None, f"{scheme}{file}")
    assert image
    assert image.announced is None


def test_an_archive_of_podman_names_its_layers_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "saved.tar"
    file.write_bytes(saved([BASE, API], [f"{'a' * 64}.tar", f"{'b' * 64}.tar"]))
    assert sizes(str(file), tmp_path / "cache") == WANTED


@pytest.mark.parametrize(("pack", "has_digest"), [(bytes, True), (gzip.compress, False)])
def test_a_layer_without_a_digest_in_its_name_is_known_where_it_is_plain(
    tmp_path: Path, pack: Callable[[bytes], bytes], has_digest: bool
) -> None:
    """Some tools name compressed layers by their diff_id, so only the bytes show the real size."""
    file, blob = tmp_path / "saved.tar", pack(BASE)
    file.write_bytes(renamed(blob))
    cache = tmp_path / "cache"
    plain = read_layers.measure(None, f"oci:{layout(tmp_path)}", cache)
    measured = read_layers.measure(None, str(file), cache)
    assert plain
    assert measured
    assert measured.download == (plain.layers[0].download if has_digest else len(blob))
    source = sources.find(None, str(file))
    assert source
    assert source.stored == ((digest(BASE),) if has_digest else ("",))


def renamed(blob: bytes) -> bytes:
    """Return an archive of BASE, stored as `blob` in a member without a digest in its name."""
    config = json.dumps(config_of([BASE])).encode()
    listed = json.dumps([{"Config": "c.json", "Layers": ["layer.tar.gz"]}]).encode()
    return tar_of({"layer.tar.gz": blob, "c.json": config, "manifest.json": listed})


def test_an_older_docker_links_a_repeated_layer(tmp_path: Path) -> None:
    config = json.dumps(config_of([BASE, BASE])).encode()
    names = ["one/layer.tar", "two/layer.tar"]
    listed = [{"Config": "c.json", "RepoTags": None, "Layers": names}]
    file = tmp_path / "saved.tar"
    file.write_bytes(
        layer(
            entry("one/layer.tar", BASE),
            entry("two/layer.tar", kind=tarfile.SYMTYPE, link="../one/layer.tar"),
            entry("c.json", config),
            entry("manifest.json", json.dumps(listed).encode()),
        )
    )
    assert sizes(str(file), tmp_path / "cache") == [WANTED[0], WANTED[0]]


def test_a_layout_as_a_tar_is_read(tmp_path: Path) -> None:
    blobs, file = Blobs(), tmp_path / "layout.tar"
    manifest = blobs.image([BASE, API])
    file.write_bytes(layout_tar(blobs, manifest))
    assert sizes(str(file), tmp_path / "cache") == WANTED


@pytest.mark.parametrize("kind", ["a layout", "saved by docker"])
def test_an_archive_made_by_tar_of_a_folder_is_read(tmp_path: Path, kind: str) -> None:
    """`tar -C folder -cf x.tar .` puts "./" before every name."""
    place, file = layout(tmp_path), tmp_path / "x.tar"
    if kind == "saved by docker":
        place = tmp_path / "saved"
        with tarfile.open(fileobj=io.BytesIO(saved([BASE, API]))) as archive:
            archive.extractall(place, filter="data")
    subprocess.run(["tar", "-C", place, "-cf", file, "."], check=True)
    assert sizes(str(file), tmp_path / "cache") == WANTED


# ---- which image of several ------------------------------------------------


def several(folder: Path) -> Path:
    blobs = Blobs()
    attestation = blobs.add(
        {"config": {}, "layers": [{"mediaType": "application/vnd.in-toto+json"}]},
        "application/vnd.oci.image.manifest.v1+json",
        platform={"os": "unknown", "architecture": "unknown"},
        annotations={"vnd.docker.reference.type": "attestation-manifest"},
    )
    amd64 = blobs.image([BASE], platform={"os": "linux", "architecture": "amd64"})
    v8 = {"os": "linux", "architecture": "arm64", "variant": "v8"}
    arm64 = blobs.image([API], architecture="arm64", platform=v8)
    top = blobs.add({"manifests": [attestation, amd64, arm64]}, INDEX)
    return write_layout(folder / "several", blobs, top)


@pytest.mark.parametrize(("wanted", "layer_tar"), [("linux/amd64", BASE), ("linux/arm64", API)])
def test_the_image_for_the_wanted_platform_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str, layer_tar: bytes
) -> None:
    monkeypatch.setenv("DOCKER_DEFAULT_PLATFORM", wanted)
    assert sizes(f"oci:{several(tmp_path)}", tmp_path / "c")[0][0] == digest(layer_tar)


@pytest.mark.parametrize(("machine", "name"), [("x86_64", "amd64"), ("aarch64", "arm64")])
def test_without_a_wish_it_is_this_machines(
    monkeypatch: pytest.MonkeyPatch, machine: str, name: str
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert oci.wanted_platform() == f"linux/{name}"


def test_two_names_of_one_image_need_no_choice(tmp_path: Path) -> None:
    blobs, name = Blobs(), "org.opencontainers.image.ref.name"
    named = [blobs.image([API], annotations={name: tag}) for tag in ("1.0", "latest")]
    place = write_layout(tmp_path / "named", blobs, *named)
    assert sizes(f"oci:{place}", tmp_path / "c") == [WANTED[1]]


def test_one_name_for_every_platform_needs_no_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_DEFAULT_PLATFORM", "linux/arm64")
    blobs, name = Blobs(), {"org.opencontainers.image.ref.name": "web"}
    amd64 = {"os": "linux", "architecture": "amd64"}
    arm64 = {"os": "linux", "architecture": "arm64"}
    first = blobs.image([BASE], annotations=name, platform=amd64)
    two = blobs.image([API], annotations=name, platform=arm64)
    place = write_layout(tmp_path / "web", blobs, first, two)
    assert sizes(f"oci:{place}", tmp_path / "c")[0][0] == digest(API)


def test_images_without_a_platform_cannot_be_told_apart(tmp_path: Path) -> None:
    blobs = Blobs()
    first, two = blobs.image([BASE]), blobs.image([API])
    place = write_layout(tmp_path / "two", blobs, first, two)
    message, tip = refused(f"oci:{place}", tmp_path)
    assert message.endswith(f", but for {first['digest']}, {two['digest']}")
    assert tip == "save one image alone, or with its platform"


def test_no_image_for_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_DEFAULT_PLATFORM", "linux/riscv64")
    place = several(tmp_path)
    assert refused(f"oci:{place}", tmp_path) == (
        f'{place}: no image for "linux/riscv64", but for linux/amd64, linux/arm64/v8',
        "set DOCKER_DEFAULT_PLATFORM to one of them",
    )


def test_one_image_beside_its_attestation_is_taken_whatever_it_is_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_DEFAULT_PLATFORM", "linux/amd64")
    blobs = Blobs()
    arm64 = blobs.image([API], platform={"os": "linux", "architecture": "arm64"})
    noise = {"digest": digest(b""), "platform": {"os": "unknown", "architecture": "unknown"}}
    place = write_layout(tmp_path / "one", blobs, arm64, noise)
    assert sizes(f"oci:{place}", tmp_path / "c") == [WANTED[1]]


def test_a_name_chooses_in_a_layout(tmp_path: Path) -> None:
    blobs, name = Blobs(), "org.opencontainers.image.ref.name"
    first = blobs.image([BASE], annotations={name: "one"})
    two = blobs.image([API], annotations={name: "two"})
    place = write_layout(tmp_path / "named", blobs, first, two)
    assert sizes(f"oci:{place}:two", tmp_path / "c") == [WANTED[1]]
    assert refused(f"oci:{place}", tmp_path) == (
        f"{place}: index.json: several images: one, two",
        f"name one: oci:{place}:one",
    )
    assert refused(f"oci:{place}:three", tmp_path) == (
        f'{place}: index.json: no image "three"',
        "leave the name out",
    )


# ---- which reference is what -----------------------------------------------


@pytest.mark.parametrize("reference", ["web:prod", "a/web:prod", "web:prod@sha256:0", "sha256:0"])
def test_a_file_with_the_name_of_a_tag_is_not_taken_for_it(folder: Path, reference: str) -> None:
    """A pull request could add one that keeps every promise."""
    (folder / reference).parent.mkdir(exist_ok=True)
    (folder / reference).write_bytes(saved([BASE]))
    assert sources.scheme(reference) == ("engine", reference)
    assert sources.scheme(f"archive:{reference}") == ("archive", reference)
    assert sources.scheme(f"{folder}/{reference}")[0] == "engine"


def test_a_scheme_counts_before_a_path_only(folder: Path) -> None:
    (folder / "here").mkdir()
    (folder / "image.tar").write_bytes(b"")
    assert [
        sources.scheme(reference)[0]
        for reference in (
            "registry:2",
            "oci:latest",
            "archive:1",
            "oci:here",
            "oci:./gone",
            "archive:a/b.tar",
            "registry:127.0.0.1:5000/a:b",
            "image.tar",
            "./image.tar",
            "here",
            "sutra/api:prod",
        )
    ] == [
        "engine",
        "engine",
        "engine",
        "oci",
        "oci",
        "archive",
        "registry",
        "archive",
        "archive",
        "engine",
        "engine",
    ]


def test_an_image_of_the_engine_may_be_called_registry(engine: FakeEngine, tmp_path: Path) -> None:
    engine.add(FakeImage([BASE]), "registry:2")
    measured = read_layers.measure(engine, "registry:2", tmp_path)
    assert measured
    assert measured.installed == 100


# ---- what is wrong ---------------------------------------------------------


def refused(reference: str, cache: Path) -> tuple[str, str]:
    with pytest.raises(SutraError) as caught:
        read_layers.measure(None, reference, cache / "cache")
    return caught.value.message, caught.value.tip


def test_a_missing_layout(tmp_path: Path) -> None:
    assert refused(f"oci:{tmp_path}/gone", tmp_path) == (
        f"{tmp_path}/gone/index.json: cannot be read: No such file or directory",
        "check the path",
    )


def test_a_folder_that_is_no_layout(tmp_path: Path) -> None:
    """The `dir:` of skopeo has manifest.json alone."""
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/manifest.json").write_text("{}")
    assert refused(f"oci:{tmp_path}/dir", tmp_path) == (
        f'{tmp_path}/dir: not an OCI layout: no "index.json"',
        "save the image as one, or as an archive",
    )


def test_a_file_or_folder_that_was_called_the_other_one(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "file.tar").write_bytes(saved([BASE]))
    assert refused(f"archive:{tmp_path}/dir", tmp_path) == (
        f"{tmp_path}/dir: a folder",
        f"an OCI layout is oci:{tmp_path}/dir",
    )
    assert refused(f"oci:{tmp_path}/file.tar", tmp_path) == (
        f"{tmp_path}/file.tar: not a folder",
        f"an archive is archive:{tmp_path}/file.tar",
    )


def test_a_missing_archive(tmp_path: Path) -> None:
    assert refused(f"archive:{tmp_path}/gone", tmp_path) == (
        f"{tmp_path}/gone: cannot be read: No such file or directory",
        "check the path",
    )


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    message = f"{tmp_path}/pipe: not a regular file", "check the path"
    assert refused(f"archive:{tmp_path}/pipe", tmp_path) == message


def test_a_layer_that_is_gone_from_a_layout(tmp_path: Path) -> None:
    place = layout(tmp_path)
    blob = place / "blobs" / "sha256" / digest(API)[7:]
    blob.unlink()
    assert refused(f"oci:{place}", tmp_path) == (
        f"{blob}: cannot be read: No such file or directory",
        "check the path",
    )


def test_a_layer_that_is_another(tmp_path: Path) -> None:
    place = layout(tmp_path)
    (place / "blobs" / "sha256" / digest(API)[7:]).write_bytes(tar_of({"b": b"other"}))
    assert refused(f"oci:{place}", tmp_path) == (
        f"{place}: layer is damaged: content is not that of {digest(API)}",
        AGAIN,
    )


def test_a_damaged_layer(tmp_path: Path) -> None:
    place = layout(tmp_path)
    (place / "blobs" / "sha256" / digest(API)[7:]).write_bytes(API[:700])
    message = f"{place}: layer is damaged: unexpected end of data"
    assert refused(f"oci:{place}", tmp_path) == (message, AGAIN)


@pytest.mark.parametrize(
    ("index", "problem"),
    [
        (b"", "index.json: not JSON"),
        (b"\xff", "index.json: not JSON"),
        (b"[" * 100_000, "index.json: not JSON"),
        (b"[]", "index.json: not a JSON object"),
        (b"{}", "index.json: manifests: missing or of a wrong type"),
        (b'{"manifests": {}}', "index.json: manifests: missing or of a wrong type"),
        (b'{"manifests": [1]}', "index.json: manifests.0: not a JSON object"),
        (b'{"manifests": []}', "index.json: no image"),
        (b'{"manifests": [{}]}', "index.json: manifests.0: digest: missing or of a wrong type"),
        (
            b'{"manifests": [{"digest": "sha256:../../../../etc/passwd"}]}',
            'index.json: manifests.0: digest: not a sha256 "sha256:../../../../etc/passwd"',
        ),
        (
            b'{"manifests": [{"digest": true}]}',
            "index.json: manifests.0: digest: missing or of a wrong type",
        ),
        (b" " * ((4 << 20) + 1), "more than 4194304 bytes of JSON"),
    ],
)
def test_a_wrong_index(tmp_path: Path, index: bytes, problem: str) -> None:
    (tmp_path / "index.json").write_bytes(index)
    message, tip = refused(f"oci:{tmp_path}", tmp_path)
    assert message.replace("/index.json: more", ": more") == f"{tmp_path}: {problem}"
    assert tip == AGAIN


def broken(folder: Path, manifest: dict[str, object], blobs: Blobs | None = None) -> Path:
    blobs = blobs if blobs is not None else Blobs()
    return write_layout(folder / "broken", blobs, blobs.add(manifest, oci.MANIFESTS[0]))


def config(blobs: Blobs, **content: object) -> dict[str, object]:
    return blobs.add(content, "application/vnd.oci.image.config.v1+json")


def test_a_layer_of_an_unknown_media_type(tmp_path: Path) -> None:
    blobs = Blobs()
    place = write_layout(tmp_path / "l", blobs, blobs.image([BASE], media_type="application/x-rar"))
    assert refused(f"oci:{place}", tmp_path) == (
        f'{place}: manifest: layers.0: mediaType: unknown "application/x-rar"',
        "only layers that are tar archives can be read: plain, gzip or zstd",
    )


@pytest.mark.parametrize("kind", oci.LAYERS)
def test_known_media_types(tmp_path: Path, kind: str) -> None:
    blobs = Blobs()
    place = write_layout(tmp_path / "l", blobs, blobs.image([BASE], media_type=kind))
    assert sizes(f"oci:{place}", tmp_path / "c") == [WANTED[0]]


def test_documents_that_do_not_fit_each_other(tmp_path: Path) -> None:
    blobs = Blobs()
    listed = blobs.add(BASE, LAYER)
    two = config(blobs, rootfs={"diff_ids": [digest(BASE), digest(API)]})
    place = broken(tmp_path, {"config": two, "layers": [listed]}, blobs)
    assert refused(f"oci:{place}", tmp_path) == (
        f"{place}: config: rootfs.diff_ids: 2 layers, 1 in the manifest",
        AGAIN,
    )


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        ({}, "manifest: layers: missing or of a wrong type"),
        ({"layers": []}, "manifest: config: missing or of a wrong type"),
        (
            {"layers": [{"mediaType": LAYER, "digest": "sha256:0", "size": 1}]},
            'manifest: layers.0: digest: not a sha256 "sha256:0"',
        ),
        (
            {"layers": [{"mediaType": LAYER, "digest": digest(b""), "size": -1}]},
            "manifest: layers.0: size: negative",
        ),
        (
            {"layers": [{"mediaType": LAYER, "digest": digest(b""), "size": "1"}]},
            "manifest: layers.0: size: missing or of a wrong type",
        ),
    ],
)
def test_a_wrong_manifest(tmp_path: Path, manifest: dict[str, object], problem: str) -> None:
    place = broken(tmp_path, manifest)
    assert refused(f"oci:{place}", tmp_path) == (f"{place}: {problem}", AGAIN)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({}, "config: rootfs: missing or of a wrong type"),
        ({"rootfs": {}}, "config: rootfs: diff_ids: missing or of a wrong type"),
        ({"rootfs": {"diff_ids": ["../x"]}}, "config: rootfs.diff_ids: not digests"),
    ],
)
def test_a_wrong_config(tmp_path: Path, content: dict[str, object], problem: str) -> None:
    blobs = Blobs()
    place = broken(tmp_path, {"config": config(blobs, **content), "layers": []}, blobs)
    assert refused(f"oci:{place}", tmp_path) == (f"{place}: {problem}", AGAIN)


def test_a_manifest_whose_bytes_are_others(tmp_path: Path) -> None:
    place = layout(tmp_path)
    name = json.loads((place / "index.json").read_text())["manifests"][0]["digest"]
    (place / "blobs" / "sha256" / name[7:]).write_text("{}")
    assert refused(f"oci:{place}", tmp_path) == (f"{place}: content is not that of {name}", AGAIN)


def test_indexes_that_lead_to_each_other_without_end(tmp_path: Path) -> None:
    blobs = Blobs()
    top = blobs.image([BASE])
    for _ in range(5):
        top = blobs.add({"manifests": [top]}, INDEX)
    place = write_layout(tmp_path / "deep", blobs, top)
    message = f"{place}: indexes in indexes, more than 4 deep"
    assert refused(f"oci:{place}", tmp_path) == (message, AGAIN)


def test_an_index_of_attestations_alone(tmp_path: Path) -> None:
    noise = {"digest": digest(b""), "platform": {"os": "unknown", "architecture": "unknown"}}
    place = write_layout(tmp_path / "none", {}, noise)
    assert refused(f"oci:{place}", tmp_path) == (f"{place}: no image in the index", AGAIN)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "archive is damaged: empty file"),
        (b"garbage" * 100, "archive is damaged: invalid header"),
        (saved([BASE])[:1500], "archive is damaged: unexpected end of data"),
        (
            gzip.compress(saved([BASE]))[:-9],
            "archive is damaged: Compressed file ended before the end-of-stream marker was reached",
        ),
        (tar_of({"a": b"1"}), 'missing "index.json"'),
        (tar_of({"manifest.json": b"[]"}), "manifest.json: 0 images"),
        (tar_of({"manifest.json": b"[{}, {}]"}), "manifest.json: 2 images"),
        (tar_of({"manifest.json": b"[1]"}), "manifest.json: images.0: not a JSON object"),
        (
            tar_of({"manifest.json": b"[{}]"}),
            "manifest.json: images.0: Config: missing or of a wrong type",
        ),
        (tar_of({"manifest.json": b'[{"Config": "gone"}]'}), 'missing "gone"'),
        (
            tar_of({"manifest.json": b'[{"Config": "c", "Layers": [1]}]', "c": b"{}"}),
            "manifest.json: images.0: Layers: not all texts",
        ),
        (old_archive({"a": BASE}), "manifest.json: 0 images"),
    ],
)
def test_a_wrong_archive(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / "wrong.tar"
    file.write_bytes(content)
    message, tip = refused(str(file), tmp_path)
    assert message == f"{file}: {problem}"
    assert tip == ("save one image an archive" if "images" in problem[-6:] else AGAIN)


def test_an_archive_whose_layer_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "missing.tar"
    config = json.dumps(config_of([BASE])).encode()
    listed = json.dumps([{"Config": "c.json", "Layers": ["gone/layer.tar"]}]).encode()
    file.write_bytes(tar_of({"c.json": config, "manifest.json": listed}))
    assert refused(str(file), tmp_path) == (f"{file}: layer missing: {digest(BASE)}", AGAIN)


def test_an_archive_of_documents_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_archive, "MAX_DOCUMENTS", 10_000)
    file = tmp_path / "many.tar"
    file.write_bytes(tar_of({f"{number}.json": b"{" * 3000 for number in range(4)}))
    message = f"{file}: too many documents beside the layers"
    assert refused(str(file), tmp_path) == (message, AGAIN)
