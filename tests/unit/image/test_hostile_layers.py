"""Damaged and hostile layers give one clear line each, in bounded memory and time."""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.errors import SutraError
from scripts.image import inventory, layer_entries
from scripts.image.layer_reader import read_layer
from scripts.image.read_layers import measure
from scripts.oci import tar_stream
from tests.support.oci import entry, layer
from tests.unit.fakes import FakeEngine, FakeImage, as_file, tar_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def header(name: str = "a", kind: bytes = tarfile.REGTYPE, size: int = 0) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def pax(records: dict[str, str], name: str = "a", content: bytes = b"") -> bytes:
    info, data = entry(name, content)
    info.pax_headers = records
    return layer((info, data), form=tarfile.PAX_FORMAT)


def old_sparse(real: int) -> bytes:
    """An old GNU sparse file of `real` bytes, none of them stored."""
    block = bytearray(tarfile.TarInfo("hole").tobuf(tarfile.GNU_FORMAT))
    block[156:157] = tarfile.GNUTYPE_SPARSE
    block[483:495] = b"\x80" + real.to_bytes(11, "big")
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + bytes(1024)


LONG = 1 << 20
HOSTILE: dict[str, tuple[bytes, str]] = {
    "a path that climbs": (
        layer(entry("../etc/passwd")),
        'path leads outside the image "../etc/passwd"',
    ),
    "a path that climbs inside": (
        layer(entry("a/../../b")),
        'path leads outside the image "a/../../b"',
    ),
    "an absolute path that climbs": (
        layer(entry("/a/../../b")),
        'path leads outside the image "/a/../../b"',
    ),
    "a file without a name": (layer(entry("")), 'path leads outside the image ""'),
    "a path with a NUL": (pax({"path": "a\0b"}), 'path leads outside the image "a\\x00b"'),
    "a path with colours": (
        layer(entry("../\x1b[31m")),
        'path leads outside the image "../\\x1b[31m"',
    ),
    "a hard link that climbs": (
        layer(entry("a", kind=tarfile.LNKTYPE, link="../../etc/shadow")),
        'path leads outside the image "../../etc/shadow"',
    ),
    "a hard link to nothing": (
        layer(entry("a", kind=tarfile.LNKTYPE)),
        'path leads outside the image ""',
    ),
    "a whiteout of the folder above": (
        layer(entry("a/.wh...")),
        'path leads outside the image ".."',
    ),
    "a whiteout of nothing": (layer(entry("a/.wh.")), 'path leads outside the image ""'),
    "10 GB announced": (header(size=10**10), "unexpected end of data"),
    "10 GB announced and some sent": (header(size=10**10) + bytes(LONG), "unexpected end of data"),
    "2^60 bytes announced": (header(size=1 << 60), "unexpected end of data"),
    "a negative size": (pax({"size": "-5"}), 'negative size of "a"'),
    "a long name of 10 GB": (
        header("././@LongLink", tarfile.GNUTYPE_LONGNAME, 10**10),
        "header of 10000000000 bytes",
    ),
    "a long link of 1 MiB and a byte": (
        header("././@LongLink", tarfile.GNUTYPE_LONGLINK, LONG + 1),
        "header of 1048577 bytes",
    ),
    "a PAX header of 10 GB": (
        header("pax", tarfile.XHDTYPE, 10**10),
        "header of 10000000000 bytes",
    ),
    "global PAX headers without end": (
        b"".join(
            header("g", tarfile.XGLTYPE, LONG // 2)
            + (b"%d k%d=" % (LONG // 2, number)).ljust(LONG // 2 - 1, b"x")
            + b"\n"
            for number in range(4)
        ),
        "global headers of 524279 bytes",
    ),
    "global PAX headers whose keys are long": (
        header("g", tarfile.XGLTYPE, LONG // 2)
        + (b"%d " % (LONG // 2)).ljust(LONG // 2 - 3, b"k")
        + b"=v\n"
        + header("a"),
        "global headers of 524279 bytes",
    ),
    "global PAX headers of many keys": (
        b"".join(
            header("g", tarfile.XGLTYPE, 10) + (b"10 k%03d=v\n" % number).ljust(512, b"\0")
            for number in range(200)
        ),
        "global headers of 101 keys",
    ),
    "100,000 PAX keys for each of many entries": (
        (
            header("x", tarfile.XHDTYPE, LONG)
            + b"10 kkkk=v\n" * (LONG // 10)
            + bytes(LONG % 10)
            + bytes(-LONG % 512)
            + header("a")
        )
        * 20,
        "headers of more than 16793600 bytes",
    ),
    "a path of 2,000 folders": (
        layer(entry("d/" * 2000 + "f")),
        "path of 4001 characters in 2001 parts",
    ),
    "a path past PATH_MAX": (layer(entry("d" * 4097)), "path of 4097 characters in 1 parts"),
    "sparse files of 10 GB together": (
        old_sparse(200 << 20)[:512] * 50,
        'sparse file "hole" of 209715200 bytes',
    ),
    "a chain of PAX headers": ((header("pax", tarfile.XHDTYPE, 0)) * 5000, "headers too deep"),
    "a time that is not a number": (pax({"mtime": "nan"}), 'time "nan"'),
    "a time past any float": (pax({"mtime": "inf"}), 'time "inf"'),
    "a sparse file of 10 GB": (old_sparse(10**10), 'sparse file "hole" of 10000000000 bytes'),
    "a sparse file of GNU format 1.0": (
        pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9"}),
        "sparse files of GNU format 1.0 are not read",
    ),
    "an entry of an unknown type": (
        layer(entry("a", kind=b"Z")),
        "entry of unknown type b'Z' \"a\"",
    ),
    "zstd cut off": (
        zstd.compress(tar_of({"a": b"1" * 5000}))[:-3],
        "Compressed file ended before the end-of-stream marker was reached",
    ),
    "zstd that wants 2 GiB of memory": (
        b"\x28\xb5\x2f\xfd\x00\xa8" + bytes(50),
        "Unable to decompress Zstandard data: Frame requires too much memory for decoding",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_layer_is_one_clear_line(engine: FakeEngine, tmp_path: Path, name: str) -> None:
    blob, reason = HOSTILE[name]
    good = tar_of({"a": b"1"})
    image = FakeImage([good], [blob])
    with pytest.raises(SutraError) as caught:
        measure(engine, engine.add(image), tmp_path)
    assert caught.value.message == f'engine: archive of "{image.id}" is damaged: {reason}'
    assert caught.value.tip == "build the image again"
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


@pytest.mark.parametrize("name", [name for name in HOSTILE if "zstd" not in name])
@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_packing_it_does_not_help(name: str, pack: Callable[[bytes], bytes]) -> None:
    blob, reason = HOSTILE[name]
    packed = pack(blob)
    with pytest.raises(tar_stream.DAMAGE) as caught:
        read_layer(io.BytesIO(packed))
    assert str(caught.value) == reason


def test_a_long_name_of_exactly_the_limit_is_read() -> None:
    name = "folder/" * (LONG // 7 - 1) + "name"
    blob = layer(entry(name, b"12"))
    assert [member.name for member, _ in tar_stream.entries(io.BytesIO(blob))] == [name]


@pytest.mark.parametrize("name", ["d/" * 255 + "f", "d" * 255 + "/" + "f" * 3840])
def test_a_path_as_long_and_as_deep_as_is_allowed_is_read(name: str) -> None:
    paths: list[str] = []
    read_layer(io.BytesIO(layer(entry(name, b"12"))), sink=lambda file, _: paths.append(file.path))
    assert paths == [name]


def test_headers_may_be_as_long_as_entries_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_stream, "HEADERS", 100)
    monkeypatch.setattr(tar_stream, "HEADERS_PER_ENTRY", 30)
    record = header("x", tarfile.XHDTYPE, 21) + b"21 comment=123456789\n".ljust(512, b"\0")
    blob = (record + header("a")) * 50
    assert len(list(tar_stream.entries(io.BytesIO(blob)))) == 50
    monkeypatch.setattr(tar_stream, "HEADERS_PER_ENTRY", 0)
    with pytest.raises(tarfile.ReadError, match=r"^headers of more than 100 bytes$"):
        list(tar_stream.entries(io.BytesIO(blob)))


def test_as_many_entries_as_are_allowed_and_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_entries, "MAX_ENTRIES", 100)
    blob = tar_of({f"f{number}": b"1" for number in range(100)})
    read = read_layer(io.BytesIO(blob))
    assert read
    assert read.installed == 100
    more = tar_of({f"f{number}": b"1" for number in range(101)})
    with pytest.raises(tarfile.ReadError, match=r"^more than 100 entries$"):
        read_layer(io.BytesIO(more))


def test_texts_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_entries, "MAX_TEXTS", 10)
    read_layer(io.BytesIO(tar_of({"etc/passwd": b"x" * 10})))
    with pytest.raises(tarfile.ReadError, match=r"^package records of more than 10 bytes$"):
        read_layer(io.BytesIO(tar_of({"etc/passwd": b"x" * 10, "etc/group": b"x"})))


class Repeated:
    """A file of `header` over and over, then the end: many entries from few bytes."""

    def __init__(self, block: bytes, times: int) -> None:
        self._parts: Iterator[bytes] = iter([block * 2000] * (times // 2000) + [bytes(1024)])
        self._rest = b""

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and (part := next(self._parts, b"")):
            self._rest += part
        part, self._rest = self._rest[:size], self._rest[size:]
        return part


def test_memory_does_not_grow_with_the_number_of_entries() -> None:
    """Blocks in flight take at most 9 MB; 20,000 entries kept by `tarfile` would take 20 more."""
    tracemalloc.start()
    try:
        source = as_file(Repeated(header("a/file"), 20_000))
        assert read_layer(source, sink=lambda *_: None)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress])
def test_plain_gzip_and_zstd_are_one_layer(
    engine: FakeEngine, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    plain = tar_of({"a/b": b"12345" * 1000})
    image = FakeImage([plain], [pack(plain)])
    measured = measure(engine, engine.add(image), tmp_path)
    assert measured
    assert measured.installed == 5000


# ---- fuzzing ---------------------------------------------------------------

SEEDS = [
    tar_of({"a": b"12345", "b/c": b"x" * 700}),
    layer(entry("folder/" * 30 + "n", b"1"), entry("l", kind=tarfile.SYMTYPE, link="a" * 150)),
    layer(entry("é" * 80, b"1"), form=tarfile.PAX_FORMAT),
    pax({"size": "12", "mtime": "1.5", "path": "some/where"}, content=b"123456789012"),
    old_sparse(1000),
    layer(
        entry("a", b"\x7fELF\x02\x01\x01" + bytes(200)), entry("b", kind=tarfile.LNKTYPE, link="a")
    ),
    layer(entry("x.pyc", b"\xf3\r\r\n" + bytes(20)), entry(".wh.gone"), entry("d/.wh..wh..opq")),
]
EDITS = st.lists(
    st.tuples(
        st.integers(0, 1 << 16),
        st.sampled_from(["set", "cut", "add", "drop"]),
        st.binary(min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=6,
)


def mutated(data: bytes, edits: list[tuple[int, str, bytes]], repair: bool) -> bytes:
    """Return `data` after `edits`; `repair` corrects each header's checksum."""
    changed = bytearray(data)
    for place, what, value in edits:
        at = place % (len(changed) or 1)
        if what == "set":
            changed[at : at + len(value)] = value
        elif what == "cut":
            del changed[at:]
        elif what == "add":
            changed[at:at] = value
        else:
            del changed[at : at + len(value)]
    for at in range(0, len(changed) - 511, 512) if repair else ():
        if bytes(changed[at + 257 : at + 262]) == b"ustar":
            changed[at + 148 : at + 156] = b"        "
            changed[at + 148 : at + 156] = b"%06o\0 " % sum(changed[at : at + 512])
    return bytes(changed)


def outcome(blob: bytes) -> int | str:
    """Return the installed bytes, or why the blob is refused; nothing else may be raised."""
    try:
        figures = read_layer(io.BytesIO(blob), sink=lambda *_: None)
    except tar_stream.DAMAGE as error:
        return str(error)
    return figures.installed if figures else 0


def is_well(result: int | str) -> bool:
    return result >= 0 if isinstance(result, int) else bool(result)


@given(seed=st.sampled_from(SEEDS), edits=EDITS, repair=st.booleans(), packing=st.integers(0, 2))
def test_a_mutated_layer_is_read_or_refused(
    seed: bytes, edits: list[tuple[int, str, bytes]], repair: bool, packing: int
) -> None:
    pack = (bytes, gzip.compress, zstd.compress)[packing]
    assert is_well(outcome(pack(mutated(seed, edits, repair))))


@given(
    seed=st.sampled_from([gzip.compress(SEEDS[0], mtime=0), zstd.compress(SEEDS[0])]), edits=EDITS
)
def test_a_mutated_packed_layer_is_read_or_refused(
    seed: bytes, edits: list[tuple[int, str, bytes]]
) -> None:
    assert is_well(outcome(mutated(seed, edits, repair=False)))


STARTS = st.sampled_from([b"", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"])


@given(blob=st.binary(max_size=3000), start=STARTS)
def test_any_bytes_are_read_or_refused(blob: bytes, start: bytes) -> None:
    assert is_well(outcome(start + blob))


@given(edits=EDITS)
def test_a_mutated_archive_of_the_engine_is_read_or_refused(
    edits: list[tuple[int, str, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    engine, image = FakeEngine(), FakeImage([SEEDS[0], SEEDS[-1]])
    image.archive = mutated(image.archive, edits, repair=True)
    message, size = "engine: ", 5
    try:
        contents = inventory.read(engine, engine.add(image), tmp_path_factory.mktemp("cache"))
        size = contents.files["a"].size if contents else 0
    except SutraError as error:
        message = error.message
    assert (message.startswith("engine: "), "\n" in message, size) == (True, False, 5)
