"""Names and files after several layers: hard links, folders without entries."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from scripts.image import inventory
from scripts.image.inventory import Inventory
from tests.support.oci import entry, layer
from tests.unit.fakes import FakeEngine, FakeImage

DIR, LINK, HARD = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
METADATA = b"Metadata-Version: 2.1\nName: one\n"
META = "v/one-1.0.dist-info/METADATA"
Entries = list[tuple[tarfile.TarInfo, bytes]]


def read(engine: FakeEngine, cache: Path, *layers: Entries) -> Inventory:
    image = inventory.read(
        engine, engine.add(FakeImage([layer(*entries) for entries in layers])), cache
    )
    assert image
    return image


def linked(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, kind=HARD, link=target)


PAIR = [entry("a", b"12345"), linked("b", "a")]
# action of the second layer; then path, kind and size of each visible file, and wasted paths
LATER: dict[str, tuple[Entries, list[tuple[str, str, int]], list[str]]] = {
    "nothing": ([], [("a", "file", 5), ("b", "hardlink", 0)], []),
    "removes the first name": ([entry(".wh.a")], [("b", "file", 5)], []),
    "removes the second name": ([entry(".wh.b")], [("a", "file", 5)], []),
    "removes both": ([entry(".wh.a"), entry(".wh.b")], [], ["a"]),
    "overwrites the first": ([entry("a", b"1")], [("a", "file", 1), ("b", "file", 5)], []),
    "overwrites both": (
        [entry("a", b"1"), linked("b", "a")],
        [("a", "file", 1), ("b", "hardlink", 0)],
        ["a"],
    ),
    "makes the first a link to the second": (
        [entry("a", kind=LINK, link="b")],
        [("a", "symlink", 0), ("b", "file", 5)],
        [],
    ),
    "adds a third name and removes the others": (
        [linked("c", "b"), entry(".wh.a"), entry(".wh.b")],
        [("c", "hardlink", 0)],
        ["a"],
    ),
    "links a name to itself": ([linked("a", "a")], [("a", "file", 5), ("b", "hardlink", 0)], []),
}


@pytest.mark.parametrize("name", LATER)
def test_bytes_are_there_as_long_as_a_name_is(
    name: str, engine: FakeEngine, tmp_path: Path
) -> None:
    later, seen, wasted = LATER[name]
    contents = read(engine, tmp_path, PAIR, later)
    assert sorted((file.path, file.kind, file.size) for file in contents.files.values()) == seen
    assert [file.path for file, _ in contents.wasted] == wasted


def test_a_name_that_outlives_the_first_has_all_of_its_facts(
    engine: FakeEngine, tmp_path: Path
) -> None:
    first = [entry("a", b"#!/x\n", mode=0o4755), linked("b", "a"), linked("c", "b")]
    contents = read(engine, tmp_path, first, [entry(".wh.a")])
    assert (contents.files["b"].kind, contents.files["b"].link) == ("file", "")
    assert (contents.files["b"].mode, contents.files["b"].script) == (0o4755, "/x")
    assert (contents.files["c"].kind, contents.files["c"].link) == ("hardlink", "b")
    assert contents.resolve("c") == contents.files["b"]


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        (LINK, "symlink"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.FIFOTYPE, "fifo"),
    ],
)
def test_a_second_name_of_another_kind_than_a_file_is_the_same(
    kind: bytes, seen: str, engine: FakeEngine, tmp_path: Path
) -> None:
    first = entry("a", kind=kind, link="t" if kind == LINK else "")
    contents = read(engine, tmp_path, [first, linked("b", "a")])
    assert (contents.files["b"].kind, contents.files["b"].link) == (seen, contents.files["a"].link)


RECORDS: dict[str, list[Entries]] = {
    "in one layer": [[entry("c/m", METADATA), linked(META, "c/m")]],
    "a link of a link": [[entry("c/m", METADATA), linked("c/n", "c/m"), linked(META, "c/n")]],
    "of the layer below": [[entry("c/m", METADATA)], [linked(META, "c/m")]],
    "of a name that is gone": [[entry("c/m", METADATA), linked(META, "c/m")], [entry(".wh.c")]],
    "a symlink": [[entry("c/m", METADATA), entry(META, kind=LINK, link="/c/m")]],
    "a symlink to what is made later": [
        [entry(META, kind=LINK, link="/c/n")],
        [entry("c/m", METADATA), linked("c/n", "c/m")],
    ],
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_read_under_whatever_name_it_came(
    name: str, engine: FakeEngine, tmp_path: Path
) -> None:
    contents = read(engine, tmp_path, *RECORDS[name])
    assert contents.text(META) == METADATA.decode()
    assert dict(contents.texts) == {META: METADATA.decode()}


@pytest.mark.parametrize(
    "text",
    [
        b"one/a.py,sha256=AbC-_9,12\n",
        b"one/a.py,,\r\n",
        b"Package: libc6\n",
        b"home = /usr/bin\n",
        b"0123456789abcdef0123456789abcdef  usr/bin/x\n",
        b"/.\n/usr\n",
        b"root:x:0:0::/:\n",
    ],
)
def test_every_kind_of_record_is_known_by_how_it_begins(
    text: bytes, engine: FakeEngine, tmp_path: Path
) -> None:
    contents = read(engine, tmp_path, [entry("c/m", text), linked("etc/passwd", "c/m")])
    assert contents.text("etc/passwd") == text.decode()


def test_a_symlink_that_leads_to_no_record_has_no_text(engine: FakeEngine, tmp_path: Path) -> None:
    loop = [entry(META, kind=LINK, link="/n"), entry("n", kind=LINK, link=f"/{META}")]
    contents = read(engine, tmp_path, [*loop, entry("etc/passwd", kind=LINK, link="/gone")])
    assert (contents.text(META), contents.text("etc/passwd"), dict(contents.texts)) == (
        None,
        None,
        {},
    )


@pytest.mark.parametrize("text", [b"x = 1\n", b'{"a": 1}\n', b"a,b,c\n", bytes(60)])
def test_what_begins_like_no_record_is_not_kept(
    text: bytes, engine: FakeEngine, tmp_path: Path
) -> None:
    contents = read(engine, tmp_path, [entry("c/m", text), linked("etc/passwd", "c/m")])
    assert contents.layers[0].texts == {}


# ---- layers as kaniko writes them ------------------------------------------


def test_names_may_begin_at_the_root(engine: FakeEngine, tmp_path: Path) -> None:
    first = [
        entry("/", kind=DIR, mode=0o755),
        entry("/app/a", b"1"),
        entry("./app/b", b"2"),
        linked("/app/c", "/app/a"),
        entry("/app/old", b"3"),
    ]
    contents = read(engine, tmp_path, first, [entry("/app/.wh.old"), entry("//app//d", b"4")])
    assert {path: file.kind for path, file in contents.files.items()} == {
        ".": "folder",
        "app/a": "file",
        "app/b": "file",
        "app/c": "hardlink",
        "app/d": "file",
    }
    assert contents.files["."].mode == 0o755
    assert contents.folders == {".", "app"}


def test_dots_are_taken_by_the_text_as_engines_take_them(
    engine: FakeEngine, tmp_path: Path
) -> None:
    entries = [entry("app/x/../a", b"1"), linked("app/b", "app/../app/a"), entry("opt/../c", b"2")]
    contents = read(engine, tmp_path, entries)
    assert {path: file.link for path, file in contents.files.items()} == {
        "app/a": "",
        "app/b": "app/a",
        "c": "",
    }


def test_a_folder_without_an_entry_is_replaced_all_the_same(
    engine: FakeEngine, tmp_path: Path
) -> None:
    contents = read(engine, tmp_path, [entry("d/e/a", b"1"), entry("f", b"2")], [entry("d", b"3")])
    assert sorted(contents.files) == ["d", "f"]
    assert [file.path for file, _ in contents.wasted] == ["d/e/a"]


def test_the_folders_that_a_path_leads_through(engine: FakeEngine, tmp_path: Path) -> None:
    contents = read(
        engine, tmp_path, [entry("usr/bin/x", b"1"), entry("bin", kind=LINK, link="usr/bin")]
    )
    assert contents.walk("/bin/x") == [".", "usr", "usr/bin", "usr/bin/x"]
    assert contents.walk("bin/../x") == [".", "usr", "usr/bin", "usr/x"]
    assert contents.walk("/") == ["."]
    assert contents.walk("usr/..") == [".", "usr", "."]
