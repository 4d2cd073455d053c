# ruff: noqa: S311 - a seeded generator makes the same bytes in every run
from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import resource
import signal
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from zlib_ng import zlib_ng

from scripts.common.errors import SutraError
from scripts.image import read_layers
from scripts.image.layer_reader import read_layer
from scripts.image.read_layers import measure
from scripts.image.size_cache import METHOD
from scripts.oci.compression import zstd
from scripts.oci.layer import Layer, Measured, shared_once
from tests.support.oci import LAYER, Blobs, saved, write_layout
from tests.unit.fakes import FakeEngine, FakeImage, as_file, digest, old_archive, tar_of

# exceptions of read_layer for a damaged blob; gzip's own error is an OSError
# the stub of zlib_ng calls the class an instance
DAMAGED: Any = (tarfile.TarError, EOFError, zlib_ng.error, gzip.BadGzipFile)


def text(size: int, seed: int = 0) -> bytes:
    """Return `size` bytes that compress about as well as programs do."""
    words = [bytes(random.Random(word).randbytes(9)) for word in range(600)]
    chosen = random.Random(seed)
    return b"".join(chosen.choices(words, k=size // 9 + 1))[:size]


def read(data: bytes) -> Layer:
    layer = read_layer(io.BytesIO(data))
    assert layer is not None
    return layer


def members(*parts: tuple[tarfile.TarInfo, bytes], format: int = tarfile.GNU_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for member, content in parts:
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def entry(
    name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, len(content), link
    return info, content


def pax(name: str, headers: dict[str, str]) -> bytes:
    info = tarfile.TarInfo(name)
    info.pax_headers = headers
    return members((info, b""), format=tarfile.PAX_FORMAT)


def sparse() -> bytes:
    """An old GNU sparse file: 1000 bytes long, 512 of them stored."""
    header = bytearray(tarfile.TarInfo("sparse").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"%011o\0" % 512
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[386:398] = b"%011o\0" % 488
    header[398:410] = b"%011o\0" % 512
    header[483:495] = b"%011o\0" % 1000
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + b"x" * 512 + bytes(1024)


LONG = "folder/" * 40 + "name"
ARCHIVES: dict[str, tuple[bytes, int]] = {
    "files": (tar_of({"a": b"12345", "b/c": b"x" * 1000, "d": b""}), 1005),
    "hard links": (members(entry("a", content=b"12345"), entry("b", tarfile.LNKTYPE, link="a")), 5),
    "symlinks": (members(entry("a", tarfile.SYMTYPE, link="b"), entry("b", content=b"123")), 3),
    "folders": (members(entry("a", tarfile.DIRTYPE), entry("a/b", content=b"123")), 3),
    "devices": (
        members(
            entry("tty", tarfile.CHRTYPE),
            entry("sda", tarfile.BLKTYPE),
            entry("pipe", tarfile.FIFOTYPE),
            entry("a", content=b"1"),
        ),
        1,
    ),
    "sparse": (sparse(), 1000),
    "GNU long names": (
        members(entry(LONG, content=b"1234"), entry("l", tarfile.SYMTYPE, link=LONG)),
        4,
    ),
    "PAX long names": (
        members(entry(LONG + "é", content=b"1234"), format=tarfile.PAX_FORMAT),
        4,
    ),
    "ustar": (members(entry("a", content=b"1234"), format=tarfile.USTAR_FORMAT), 4),
    "whiteouts": (tar_of({"a/.wh.b": b"", "a/.wh..wh..opq": b""}), 0),
    "empty": (tar_of({}), 0),
    "only the end marker": (bytes(1024), 0),
    "data after the end marker": (tar_of({"a": b"123"}) + b"left over" * 100_000, 3),
    "no end marker": (tar_of({"a": b"123"})[:1024], 3),
    "a name that starts like JSON": (tar_of({"{{name}}/setup.py": b"123"}), 3),
    "exactly one block": (tar_of({"a": text((1 << 20) - 10240)}).ljust(1 << 20, b"\0"), 1038336),
    "a block and a byte": (tar_of({"a": text(1 << 20)}), 1 << 20),
    "many blocks": (tar_of({"a": text(3_500_000), "b": text(3_500_000)}), 7_000_000),
    "noise": (tar_of({"a": random.Random(1).randbytes(2_500_000)}), 2_500_000),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_installed_is_the_sum_of_regular_files(name: str) -> None:
    data, installed = ARCHIVES[name]
    assert read(data).installed == installed


@pytest.mark.parametrize("name", ARCHIVES)
def test_the_digest_is_that_of_the_uncompressed_bytes(name: str) -> None:
    data, _ = ARCHIVES[name]
    assert read(data).diff_id == "sha256:" + hashlib.sha256(data).hexdigest()
    assert read(data).blob == read(data).diff_id


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("level", [0, 1, 9])
def test_a_packed_layer_is_a_plain_one_and_downloaded_as_it_is(name: str, level: int) -> None:
    data, _ = ARCHIVES[name]
    packed = gzip.compress(data, level)
    assert read(packed) == replace(read(data), blob=digest(packed), download=len(packed))


def test_gzip_in_several_members_is_one_layer() -> None:
    data, _ = ARCHIVES["many blocks"]
    halves = gzip.compress(data[:1_000_000]) + gzip.compress(data[1_000_000:])
    assert read(halves) == replace(read(data), blob=digest(halves), download=len(halves))


SKIPPED = b"\x5f\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"12345"
HALVES = [
    zstd.compress(half)
    for half in (ARCHIVES["many blocks"][0][:99], ARCHIVES["many blocks"][0][99:])
]


@pytest.mark.parametrize(
    "packed",
    [
        b"".join(HALVES),
        SKIPPED + HALVES[0] + SKIPPED * 2 + HALVES[1] + SKIPPED,
        SKIPPED.replace(b"\x5f", b"\x50", 1) * 2 + b"".join(HALVES),
    ],
    ids=["frames", "skippable frames between and at the end", "skippable frames first"],
)
def test_zstd_in_several_frames_is_one_layer(packed: bytes) -> None:
    data, _ = ARCHIVES["many blocks"]
    assert read(packed) == replace(read(data), blob=digest(packed), download=len(packed))


@pytest.mark.parametrize("name", ["many blocks", "noise", "a block and a byte", "empty"])
def test_download_is_what_gzip_makes_of_it(name: str) -> None:
    data, _ = ARCHIVES[name]
    real = len(gzip.compress(data, 6))
    assert abs(read(data).download - real) <= real / 100 + 100


def test_a_repeat_across_a_block_boundary_is_found() -> None:
    """Noise in the last 32 KiB of a block that comes again in the next costs next to nothing."""
    noise = random.Random(2).randbytes(10_000)
    start = bytes((1 << 20) - 512 - 10_000) + noise
    once = read(tar_of({"a": start})).download
    twice = read(tar_of({"a": start + noise})).download
    assert 10_000 < once < 13_000
    assert twice - once < 300


class Dribble(io.RawIOBase):
    """A file whose reads return fewer bytes than requested, by `pattern`."""

    def __init__(self, data: bytes, pattern: list[int]) -> None:
        self._data, self._at, self._pattern, self._turn = data, 0, pattern, 0

    def read(self, size: int = -1) -> bytes:
        take = min(size, self._pattern[self._turn % len(self._pattern)])
        self._turn += 1
        self._at += take
        return self._data[self._at - take : self._at]


SMALL = tar_of({"a": text(20_000)})
PATTERNS = st.lists(st.integers(2, 5000), min_size=1, max_size=5)


@given(pattern=PATTERNS, packed=st.booleans())
def test_how_the_bytes_arrive_does_not_matter(pattern: list[int], packed: bool) -> None:
    data = gzip.compress(SMALL) if packed else SMALL
    layer = read_layer(as_file(Dribble(data, pattern)))
    assert layer == read(data)


@pytest.mark.parametrize("pattern", [[70_000], [1 << 20], [(1 << 20) + 1], [999_983]])
@pytest.mark.parametrize("packed", [False, True])
def test_blocks_are_the_same_however_big_bytes_arrive(pattern: list[int], packed: bool) -> None:
    data, _ = ARCHIVES["many blocks"]
    given_bytes = gzip.compress(data, 1) if packed else data
    layer = read_layer(as_file(Dribble(given_bytes, pattern)))
    assert layer == read(given_bytes)


@pytest.mark.parametrize(
    "data", [b"{}", b'{"schemaVersion": 2}', b'{"a": "' + b"x" * 2_000_000 + b'"}']
)
def test_the_documents_beside_layers_are_not_layers(data: bytes) -> None:
    assert read_layer(io.BytesIO(data)) is None


@pytest.mark.parametrize(
    ("data", "download"),
    [(b"", 18), (gzip.compress(b"", mtime=0), 20), (zstd.compress(b""), len(zstd.compress(b"")))],
)
def test_a_blob_of_no_bytes_is_a_layer_without_entries(data: bytes, download: int) -> None:
    entries: list[object] = []
    layer = read_layer(io.BytesIO(data), sink=lambda file, _: entries.append(file))
    nothing = f"sha256:{hashlib.sha256(b'').hexdigest()}"
    assert layer == Layer(nothing, f"sha256:{hashlib.sha256(data).hexdigest()}", 0, download)
    assert entries == []


MIDDLE = 1_500_000
DAMAGES: dict[str, bytes] = {
    "gzip cut off": gzip.compress(ARCHIVES["many blocks"][0])[:-1000],
    "gzip without its trailer": gzip.compress(tar_of({"a": b"1"}))[:-8],
    "gzip of a wrong checksum": gzip.compress(tar_of({"a": b"1"}))[:-8] + b"\1" * 8,
    "gzip's first bytes only": b"\x1f\x8b",
    "gzip of an unknown method": b"\x1f\x8b\x07" + bytes(20),
    "gzip of garbage": gzip.compress(b"garbage" * 1000),
    "bytes after gzip": gzip.compress(tar_of({"a": b"1"})) + b"more",
    "gzip of broken blocks": gzip.compress(tar_of({"a": b"1"}))[:10] + b"\xff" * 100,
    "tar cut off in a file": ARCHIVES["many blocks"][0][:MIDDLE],
    "tar cut off in its first header": tar_of({"a": b"1"})[:300],
    "garbage": b"garbage" * 1000,
    "one byte": b"x",
    "zstandard": b"\x28\xb5\x2f\xfd" + bytes(2000),
    "PAX sparse map without a number": pax("a", {"GNU.sparse.map": "x,1"}),
    "tar with a broken second header": tar_of({"a": b"1"})[:1024] + b"garbage!" * 128,
    "tar cut off in its second header": tar_of({"a": b"1", "b": b"2"})[:1300],
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_blob_raises_what_is_documented(name: str) -> None:
    with pytest.raises(DAMAGED):
        read_layer(io.BytesIO(DAMAGES[name]))


@given(st.binary(max_size=3000))
@example(b"\x1f\x8b\x08" + bytes(7))
@example(b"\0" * 512)
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    try:
        layer = read_layer(io.BytesIO(data))
    except DAMAGED:
        layer = None
    assert layer is None or layer.installed >= 0


@given(
    name=st.sampled_from(["files", "sparse", "GNU long names", "PAX long names", "devices"]),
    edits=st.lists(st.tuples(st.integers(0, 2047), st.integers(0, 255)), min_size=1, max_size=6),
    packed=st.booleans(),
)
def test_changed_bytes_raise_nothing_else(
    name: str, edits: list[tuple[int, int]], packed: bool
) -> None:
    plain, _ = ARCHIVES[name]
    data = bytearray(gzip.compress(plain) if packed else plain)
    for at, value in edits:
        data[at % len(data)] = value
    if not packed:  # else a wrong checksum hides everything behind it
        for start in (0, 512, 1024, 1536):
            header = data[start : start + 512]
            if any(header) and len(header) == 512:
                header[148:156] = b"        "
                data[start + 148 : start + 156] = b"%06o\0 " % sum(header)
    try:
        layer = read_layer(io.BytesIO(bytes(data)))
    except DAMAGED:
        layer = None
    assert layer is None or layer.installed >= 0


def test_a_size_beyond_all_bytes_is_refused_at_once() -> None:
    """tarfile skips such a file in steps of its buffer, without looking for the end."""
    info = tarfile.TarInfo("a")
    info.size = 2**60

    def late(number: int, frame: object) -> None:
        raise AssertionError("still reading after 2 seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 2)
    try:
        with pytest.raises(DAMAGED):
            read_layer(io.BytesIO(info.tobuf(tarfile.GNU_FORMAT)))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# ---- measure ---------------------------------------------------------------

BASE = tar_of({"base": text(5000)})
API = tar_of({"api": text(3000, 1)})
HYBRID = tar_of({"hybrid": text(4000, 2)})


def figures(*data: bytes) -> tuple[Layer, ...]:
    return tuple(
        Layer(digest(part), digest(part), read(part).installed, read(part).download)
        for part in data
    )


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "layers"


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.rglob("*") if file.is_file())


def test_an_image_is_measured_layer_by_layer(engine: FakeEngine, cache: Path) -> None:
    image = FakeImage([BASE, API])
    engine.add(image, "sutra-api:prod")
    measured = measure(engine, "sutra-api:prod", cache)
    assert measured == Measured(image.id, figures(BASE, API))
    assert measured.installed == 8000
    assert measured.download == read(BASE).download + read(API).download
    assert engine.saves == [image.id]
    kept = (f"{digest(part)[7:]}{kind}" for part in (BASE, API) for kind in (".gz", ".json"))
    assert files(cache) == sorted([*kept, f"{image.id[7:]}.blobs"])


@pytest.mark.parametrize("chunk", [1, 511, 1 << 20])
def test_the_size_of_the_engines_chunks_does_not_matter(
    engine: FakeEngine, cache: Path, chunk: int
) -> None:
    engine.chunk = chunk
    image = FakeImage([BASE, API])
    assert measure(engine, engine.add(image), cache) == Measured(image.id, figures(BASE, API))


def test_packed_blobs_are_downloaded_as_they_are(engine: FakeEngine, cache: Path) -> None:
    packed = [gzip.compress(BASE, 9, mtime=0), API]
    image = FakeImage([BASE, API], packed)
    measured = measure(engine, engine.add(image), cache)
    assert measured is not None
    assert [layer.blob for layer in measured.layers] == [digest(part) for part in packed]
    plain = figures(BASE, API)
    assert [(layer.diff_id, layer.installed, layer.download) for layer in measured.layers] == [
        (plain[0].diff_id, plain[0].installed, len(packed[0])),
        (plain[1].diff_id, plain[1].installed, plain[1].download),
    ]


def test_a_known_image_is_not_read_again(engine: FakeEngine, cache: Path) -> None:
    name = engine.add(FakeImage([BASE, API]))
    cold = measure(engine, name, cache)
    assert measure(engine, name, cache) == cold
    assert engine.saves == [name]


def test_a_packed_size_is_that_of_the_image_not_of_what_was_read_before(
    engine: FakeEngine, cache: Path, tmp_path: Path
) -> None:
    """The same layer four times: computed, packed worse in a layout, better in two engines."""
    worse, better = gzip.compress(BASE, 0, mtime=0), gzip.compress(BASE, 9, mtime=0)
    blobs, file = Blobs(), tmp_path / "saved.tar"
    place = write_layout(tmp_path / "l", blobs, blobs.image([BASE], [worse], LAYER + "+gzip"))
    file.write_bytes(saved([BASE]))
    plain, packed = FakeImage([BASE]), FakeImage([BASE], [better], {"stored": "packed"})
    wanted = {
        engine.add(plain): read(BASE).download,
        engine.add(packed): len(better),
        f"oci:{place}": len(worse),
        str(file): read(BASE).download,
    }
    assert len(set(wanted.values())) == 3
    for number, order in enumerate(permutations(wanted)):
        folder = cache / str(number)
        for reference in (*order, *order):
            measured = measure(engine, reference, folder)
            assert measured
            assert (reference, measured.download) == (reference, wanted[reference])
    assert engine.saves.count(plain.id) == engine.saves.count(packed.id) == number + 1


def test_a_layout_that_names_a_layer_otherwise_spoils_nothing(
    engine: FakeEngine, cache: Path, tmp_path: Path
) -> None:
    """The cache's key is the bytes that were read, whatever their file was called."""
    real, other = gzip.compress(BASE, 9, mtime=0), gzip.compress(BASE, 0, mtime=0)
    blobs = Blobs()
    manifest = blobs.image([BASE], [real], LAYER + "+gzip")
    blobs[digest(real)] = other
    place = write_layout(tmp_path / "l", blobs, manifest)
    with pytest.raises(SutraError) as caught:
        measure(None, f"oci:{place}", cache)
    assert caught.value.message == (
        f"{place}: layer is damaged: content is not that of {digest(real)}"
    )
    measured = measure(engine, engine.add(FakeImage([BASE], [real])), cache)
    assert measured
    assert measured.download == len(real)


@pytest.mark.parametrize("damaged", ["", "{", "{}", "[1]", '["sha256:gone"]', "[]"])
def test_a_damaged_list_of_blobs_is_read_again(
    engine: FakeEngine, cache: Path, damaged: str
) -> None:
    name = engine.add(FakeImage([BASE]))
    measure(engine, name, cache)
    file = next(cache.rglob("*.blobs"))
    file.write_text(damaged)
    assert measure(engine, name, cache) == Measured(name, figures(BASE))
    assert engine.saves == [name, name]
    assert json.loads(file.read_text()) == [digest(BASE)]


def test_a_layer_that_two_images_share_is_one_layer(engine: FakeEngine, cache: Path) -> None:
    api, hybrid = FakeImage([BASE, API]), FakeImage([BASE, HYBRID])
    measured = [measure(engine, engine.add(image), cache) for image in (api, hybrid)]
    assert measured == [
        Measured(api.id, figures(BASE, API)),
        Measured(hybrid.id, figures(BASE, HYBRID)),
    ]
    assert shared_once(image for image in measured if image) == figures(BASE, API, HYBRID)


def test_a_layer_that_an_image_has_twice_counts_twice(engine: FakeEngine, cache: Path) -> None:
    image = FakeImage([BASE, BASE], [BASE])
    measured = measure(engine, engine.add(image), cache)
    assert measured == Measured(image.id, figures(BASE, BASE))


def test_a_missing_image_gives_none(engine: FakeEngine, cache: Path) -> None:
    assert measure(engine, "sutra-api:prod", cache) is None
    assert not cache.exists()


@pytest.mark.parametrize("rootfs", [{}, {"Layers": None}, {"Layers": []}])
def test_an_image_without_layers_is_empty(
    engine: FakeEngine, cache: Path, rootfs: dict[str, None]
) -> None:
    image = FakeImage([])
    image.attrs = {"Id": image.id, "RootFS": rootfs}
    assert measure(engine, engine.add(image), cache) == Measured(image.id, ())
    assert engine.saves == []


GOOD = asdict(figures(BASE)[0])


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{",
        "[]",
        "null",
        "\0\0\0",
        json.dumps({**GOOD, "more": 1}),
        json.dumps({key: value for key, value in GOOD.items() if key != "download"}),
        json.dumps({**GOOD, "download": "12"}),
        json.dumps({**GOOD, "installed": None}),
        json.dumps({**GOOD, "diff_id": digest(b"another")}),
    ],
)
def test_a_damaged_cache_file_is_measured_again(
    engine: FakeEngine, cache: Path, damaged: str
) -> None:
    image = FakeImage([BASE])
    name = engine.add(image)
    measure(engine, name, cache)
    file = next(cache.rglob("*.json"))
    file.write_text(damaged)
    assert measure(engine, name, cache) == Measured(name, figures(BASE))
    assert engine.saves == [name, name]
    assert json.loads(file.read_text()) == GOOD


def test_a_cache_file_that_is_not_text_is_measured_again(engine: FakeEngine, cache: Path) -> None:
    name = engine.add(FakeImage([BASE]))
    measure(engine, name, cache)
    next(cache.rglob("*.json")).write_bytes(b"\xff\xfe")
    assert measure(engine, name, cache) == Measured(name, figures(BASE))
    assert engine.saves == [name, name]


def test_another_method_of_counting_voids_the_cache(
    engine: FakeEngine, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = engine.add(FakeImage([BASE]))
    measure(engine, name, cache)
    monkeypatch.setattr("scripts.image.size_cache.METHOD", "5-zlib-9")
    measure(engine, name, cache)
    assert engine.saves == [name, name]
    assert (cache / "5-zlib-9" / f"{digest(BASE)[7:]}.json").is_file()


def test_the_method_names_the_library_that_compresses() -> None:
    assert f"4-zlib-ng-{zlib_ng.ZLIBNG_VERSION}" == METHOD


def test_an_image_that_changes_while_it_is_read_is_refused(engine: FakeEngine, cache: Path) -> None:
    image = FakeImage([BASE, API])
    image.archive = FakeImage([BASE, HYBRID]).archive
    engine.add(image, "sutra-api:prod")
    with pytest.raises(SutraError) as caught:
        measure(engine, "sutra-api:prod", cache)
    assert caught.value.message == f'engine: layer missing from "sutra-api:prod": {digest(API)}'
    assert caught.value.tip == "build the image again"


def test_an_image_that_is_removed_before_it_is_read_is_refused(
    engine: FakeEngine, cache: Path
) -> None:
    image = FakeImage([BASE])
    engine.add(image, "sutra-api:prod")
    image.attrs["Id"] = "sha256:gone"
    with pytest.raises(SutraError) as caught:
        measure(engine, "sutra-api:prod", cache)
    assert caught.value.message == 'engine: image no longer exists "sha256:gone"'
    assert caught.value.tip == "run `make build`"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda whole: b"", "empty file"),
        (lambda whole: b"garbage" * 1000, "invalid header"),
        (lambda whole: whole[:2000], "unexpected end of data"),
    ],
    ids=["empty", "garbage", "cut off"],
)
def test_a_damaged_archive_is_refused(
    engine: FakeEngine, cache: Path, damage: Callable[[bytes], bytes], reason: str
) -> None:
    image = FakeImage([BASE])
    image.archive = damage(image.archive)
    with pytest.raises(SutraError) as caught:
        measure(engine, engine.add(image), cache)
    assert caught.value.message == f'engine: archive of "{image.id}" is damaged: {reason}'
    assert caught.value.tip == "build the image again"


@pytest.mark.parametrize("name", [name for name in DAMAGES if "second header" not in name])
def test_a_damaged_layer_is_refused(engine: FakeEngine, cache: Path, name: str) -> None:
    image = FakeImage([BASE], [DAMAGES[name]])
    with pytest.raises(SutraError) as caught:
        measure(engine, engine.add(image), cache)
    start = f'engine: archive of "{image.id}" is damaged: '
    assert caught.value.message.startswith(start)
    assert caught.value.message.removeprefix(start)
    assert caught.value.tip == "build the image again"
    assert files(cache) == []


def test_the_archive_of_an_engine_before_25_is_read(engine: FakeEngine, cache: Path) -> None:
    """Docker 23 and 24, which refuse_old lets pass, save `<layer>/layer.tar` and no blobs."""
    image = FakeImage([BASE])
    image.archive = old_archive({"a" * 64: BASE})
    measured = measure(engine, engine.add(image), cache)
    assert measured == Measured(image.id, figures(BASE))
    assert measured.installed == 5000


def test_an_old_archive_is_read_whole_where_one_layer_is_known(
    engine: FakeEngine, cache: Path
) -> None:
    """The blob of every layer is ""; a cached one must not make the others count as cached."""
    api, hybrid = FakeImage([BASE, API]), FakeImage([BASE, HYBRID])
    api.archive = old_archive({"a" * 64: BASE, "b" * 64: API})
    hybrid.archive = old_archive({"a" * 64: BASE, "c" * 64: HYBRID})
    measured = [measure(engine, engine.add(image), cache) for image in (api, hybrid)]
    assert measured == [
        Measured(api.id, figures(BASE, API)),
        Measured(hybrid.id, figures(BASE, HYBRID)),
    ]
    assert measure(engine, hybrid.id, cache) == measured[1]
    assert engine.saves == [api.id, hybrid.id]


def test_an_engine_that_was_upgraded_reads_what_the_older_did_not(
    engine: FakeEngine, cache: Path
) -> None:
    api, hybrid = FakeImage([BASE, API]), FakeImage([BASE, HYBRID])
    api.archive = old_archive({"a" * 64: BASE, "b" * 64: API})
    measure(engine, engine.add(api), cache)
    assert measure(engine, engine.add(hybrid), cache) == Measured(hybrid.id, figures(BASE, HYBRID))


@contextmanager
def no_space() -> Iterator[None]:
    """Let no file of this process grow: the kernel then acts as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_partial_file_is_left_when_the_disk_is_full(engine: FakeEngine, cache: Path) -> None:
    name = engine.add(FakeImage([BASE]))
    with no_space():
        try:
            measure(engine, name, cache)
        except (OSError, SutraError):
            failed = True
        else:
            failed = False
    assert (failed, files(cache)) == (True, [])


def test_a_full_disk_is_one_clear_line(engine: FakeEngine, cache: Path) -> None:
    """Sizes that cannot be cached are either computed again or end in a SutraError."""
    name = engine.add(FakeImage([BASE]))
    try:
        with no_space():
            measured = measure(engine, name, cache)
    except SutraError as error:
        assert error.tip  # noqa: PT017 - or it succeeds
    else:
        assert measured == Measured(name, figures(BASE))


def test_each_layer_is_shared_once_in_order_of_first_sight() -> None:
    first, two, three = (Layer(f"sha256:{name}", "", 1, 1) for name in "abc")
    images = [Measured("x", (two, first)), Measured("y", (first, three, first)), Measured("z", ())]
    assert shared_once(images) == (two, first, three)
    assert shared_once([]) == ()


def test_reading_takes_no_more_than_a_forward_stream() -> None:
    """`docker save` cannot seek: only `read` is there."""

    class Forward:
        def __init__(self, data: bytes) -> None:
            self._inner = io.BytesIO(data)

        def read(self, size: int) -> bytes:
            return self._inner.read(size)

    packed = gzip.compress(BASE)
    layer = read_layer(as_file(Forward(packed)))
    assert layer == replace(read(BASE), blob=digest(packed), download=len(packed))


# ---- several images at once ------------------------------------------------


def test_images_that_share_layers_are_handed_out_at_once(tmp_path: Path) -> None:
    base, first, two = (tar_of({name: text(5000, number)}) for number, name in enumerate("abc"))
    client = FakeEngine()
    client.add(FakeImage([base, first]), "one:prod")
    client.add(FakeImage([base, two]), "two:prod")
    measured = list(
        read_layers.measure_several(client, ["one:prod", "two:prod", "gone:prod"], tmp_path)
    )
    assert len(client.saves) == 1
    alone = [measure(client, name, tmp_path / "other") for name in ("one:prod", "two:prod")]
    assert measured == [*alone, None]
    again = list(read_layers.measure_several(client, ["one:prod", "two:prod"], tmp_path))
    assert again == alone
    assert len(client.saves) == 3  # the two that were read alone, into another cache


def test_missing_entries_are_read_in_the_same_pass(tmp_path: Path) -> None:
    client = FakeEngine()
    for name in ("one", "two"):
        client.add(FakeImage([tar_of({name: b"1"})]), f"{name}:prod")
    names = ["one:prod", "two:prod"]
    list(read_layers.measure_several(client, names, tmp_path))
    for file in tmp_path.glob("entries-*/*"):
        file.unlink()
    list(read_layers.measure_several(client, names, tmp_path))  # sizes are all that it wants
    assert len(client.saves) == 1
    read_layers.read_together(client, names, tmp_path)
    assert len(client.saves) == 2
    assert len(list(tmp_path.glob("entries-*/*.gz"))) == 2


def test_a_layer_that_is_packed_in_two_ways_is_read_for_each_image(tmp_path: Path) -> None:
    content = tar_of({"a": text(5000)})
    packed = [gzip.compress(content, level, mtime=0) for level in (1, 9)]
    client = FakeEngine()
    for name, blob in zip(("one", "two"), packed, strict=True):
        client.add(FakeImage([content], [blob], {"name": name}), f"{name}:prod")
    measured = list(read_layers.measure_several(client, ["one:prod", "two:prod"], tmp_path))
    assert [image.download for image in measured if image] == [len(blob) for blob in packed]


def test_a_damaged_image_is_named_though_several_were_asked_for(tmp_path: Path) -> None:
    good, bad = FakeImage([tar_of({"a": b"1"})]), FakeImage([tar_of({"b": b"2"})], [b"\x1f\x8b"])
    client = FakeEngine()
    client.add(good, "good:prod")
    client.add(bad, "bad:prod")
    measured = read_layers.measure_several(client, ["good:prod", "bad:prod"], tmp_path)
    assert next(measured) == measure(client, "good:prod", tmp_path / "other")
    with pytest.raises(SutraError) as caught:
        next(measured)
    assert caught.value.message.startswith(f'engine: archive of "{bad.id}" is damaged: ')


@pytest.mark.parametrize(("slow", "said"), [(0.01, "layers: reading 1 of them\n"), (600.0, "")])
def test_only_what_takes_long_is_announced(
    slow: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_layers, "SLOW", slow)
    # not capfd, which loses what another thread writes while it is read
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)

    def items() -> Iterator[int]:
        yield 1
        end = time.monotonic() + 30
        while stderr.getvalue() != said:
            assert time.monotonic() < end
        yield 2

    assert list(read_layers.warn_if_slow(items(), "layers: reading 1 of them")) == [1, 2]
    assert stderr.getvalue() == said
