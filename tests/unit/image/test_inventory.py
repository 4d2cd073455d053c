from __future__ import annotations

import gzip
import importlib.util
import struct
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.errors import SutraError
from scripts.image import entry_cache, held, inventory
from scripts.image.entry import Entry, Pyc
from scripts.image.file_facts import pyc
from scripts.image.inventory import Inventory
from scripts.image.pyc import MAGIC, source_hash
from tests.support.oci import entry, layer
from tests.unit.fakes import FakeEngine, FakeImage, digest, tar_of

DIR, LINK, HARD = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def read(engine: FakeEngine, cache: Path, *layers: bytes) -> Inventory:
    image = inventory.read(engine, engine.add(FakeImage(layers)), cache)
    assert image
    return image


def seen(contents: Inventory) -> dict[str, str]:
    return {path: file.kind for path, file in sorted(contents.files.items())}


def test_an_entry_says_what_its_header_says(engine: FakeEngine, tmp_path: Path) -> None:
    tar = layer(
        entry("./usr/bin/tool", b"#!/bin/sh -e\nexit\n", mode=0o4755, uid=3, gid=4, mtime=99),
        entry("usr//lib/", kind=DIR, mode=0o1777),
        entry("usr/lib/up", kind=LINK, link="../../etc"),
        entry("dev/null", kind=tarfile.CHRTYPE),
        entry("dev/sda", kind=tarfile.BLKTYPE),
        entry("run/pipe", kind=tarfile.FIFOTYPE),
        entry("./", kind=DIR),
    )
    contents = read(engine, tmp_path, tar)
    assert contents.layers[0].entries == (
        Entry(
            "usr/bin/tool",
            "file",
            18,
            0o4755,
            3,
            4,
            99,
            digest=digest(b"#!/bin/sh -e\nexit\n"),
            script="/bin/sh -e",
        ),
        Entry("usr/lib", "folder", 0, 0o1777, 0, 0, 0),
        Entry("usr/lib/up", "symlink", 0, 0o644, 0, 0, 0, "../../etc"),
        Entry("dev/null", "device", 0, 0o644, 0, 0, 0),
        Entry("dev/sda", "device", 0, 0o644, 0, 0, 0),
        Entry("run/pipe", "fifo", 0, 0o644, 0, 0, 0),
        Entry(".", "folder", 0, 0o644, 0, 0, 0),
    )
    assert (contents.layers[0].diff_id, contents.layers[0].installed) == (digest(tar), 18)


def test_an_image_says_who_it_is(engine: FakeEngine, tmp_path: Path) -> None:
    image = FakeImage([tar_of({"a": b"1"})], labels={"x": "y"})
    engine.add(image, "sutra-api:prod")
    contents = inventory.read(engine, "sutra-api:prod", tmp_path)
    assert contents
    assert (contents.reference, contents.id, contents.architecture) == (
        "sutra-api:prod",
        image.id,
        "amd64",
    )
    assert contents.config["config"] == {"Labels": {"x": "y"}}
    assert [step["created_by"] for step in contents.config["history"]] == ["COPY", "CMD"]


def test_a_missing_image_gives_none(engine: FakeEngine, tmp_path: Path) -> None:
    assert inventory.read(engine, "sutra-api:prod", tmp_path) is None


def test_a_later_layer_wins_and_what_it_hides_is_wasted(engine: FakeEngine, tmp_path: Path) -> None:
    lower = tar_of({"a": b"old", "b": b"same", "c": b"going"})
    upper = layer(entry("a", b"newer"), entry(".wh.c"))
    contents = read(engine, tmp_path, lower, upper)
    assert seen(contents) == {"a": "file", "b": "file"}
    assert contents.files["a"].size == 5
    assert [(file.path, file.size, where) for file, where in contents.wasted] == [
        ("c", 5, digest(lower)),
        ("a", 3, digest(lower)),
    ]


def test_a_file_that_a_layer_has_twice_is_wasted_once(engine: FakeEngine, tmp_path: Path) -> None:
    tar = layer(entry("a", b"1"), entry("a", b"22"))
    contents = read(engine, tmp_path, tar)
    assert [(file.path, file.size, where) for file, where in contents.wasted] == [
        ("a", 1, digest(tar))
    ]


def test_a_whiteout_takes_a_folder_with_all_that_is_in_it(
    engine: FakeEngine, tmp_path: Path
) -> None:
    lower = layer(entry("d", kind=DIR), entry("d/e", kind=DIR), entry("d/e/f", b"1"), entry("dd"))
    contents = read(engine, tmp_path, lower, layer(entry(".wh.d")))
    assert seen(contents) == {"dd": "file"}
    assert [file.path for file, _ in contents.wasted] == ["d/e/f"]


def test_a_whiteout_does_not_touch_its_own_layer(engine: FakeEngine, tmp_path: Path) -> None:
    lower = layer(entry("d", kind=DIR), entry("d/old", b"1"))
    upper = layer(entry("d", kind=DIR), entry("d/new", b"2"), entry(".wh.d"))
    assert seen(read(engine, tmp_path, lower, upper)) == {"d": "folder", "d/new": "file"}


def test_an_opaque_folder_hides_what_was_in_it_and_stays(
    engine: FakeEngine, tmp_path: Path
) -> None:
    lower = layer(entry("d", kind=DIR), entry("d/old", b"1"), entry("e", b"2"))
    upper = layer(entry("d", kind=DIR), entry("d/.wh..wh..opq"), entry("d/new", b"33"))
    contents = read(engine, tmp_path, lower, upper)
    assert seen(contents) == {"d": "folder", "d/new": "file", "e": "file"}
    assert [file.path for file, _ in contents.wasted] == ["d/old"]


def test_an_opaque_root_hides_everything_below(engine: FakeEngine, tmp_path: Path) -> None:
    contents = read(engine, tmp_path, tar_of({"a": b"1"}), layer(entry(".wh..wh..opq"), entry("b")))
    assert seen(contents) == {"b": "file"}


def test_a_file_in_the_place_of_a_folder_hides_what_was_in_it(
    engine: FakeEngine, tmp_path: Path
) -> None:
    lower = layer(entry("d", kind=DIR), entry("d/a", b"1"))
    contents = read(engine, tmp_path, lower, layer(entry("d", b"22")))
    assert seen(contents) == {"d": "file"}


def test_a_folder_whose_mode_changes_keeps_what_is_in_it(
    engine: FakeEngine, tmp_path: Path
) -> None:
    lower = layer(entry("d", kind=DIR), entry("d/a", b"1"))
    contents = read(engine, tmp_path, lower, layer(entry("d", kind=DIR, mode=0o700)))
    assert seen(contents) == {"d": "folder", "d/a": "file"}
    assert contents.files["d"].mode == 0o700
    assert contents.wasted == ()


def test_a_hard_link_has_the_facts_of_its_file_but_no_size(
    engine: FakeEngine, tmp_path: Path
) -> None:
    tar = layer(entry("a", b"#!x\n", mode=0o4755), entry("b", kind=HARD, link="./a"))
    contents = read(engine, tmp_path, tar)
    assert contents.files["b"] == replace(
        contents.files["a"], path="b", kind="hardlink", link="a", size=0
    )
    assert sum(file.size for file in contents.files.values()) == 4


def test_a_hard_link_to_nothing_is_kept_as_it_is(engine: FakeEngine, tmp_path: Path) -> None:
    contents = read(engine, tmp_path, layer(entry("b", kind=HARD, link="gone")))
    assert contents.files["b"] == Entry("b", "hardlink", 0, 0o644, 0, 0, 0, "gone")


# ---- resolve ---------------------------------------------------------------

TREE = layer(
    entry("usr/bin/python3", b"1"),
    entry("usr/lib/so", b"2"),
    entry("bin", kind=LINK, link="usr/bin"),
    entry("absolute", kind=LINK, link="/usr/lib"),
    entry("usr/bin/python", kind=LINK, link="python3"),
    entry("usr/up", kind=LINK, link="../../../../usr/lib/so"),
    entry("loop", kind=LINK, link="loop"),
    entry("dangling", kind=LINK, link="nowhere"),
    entry("second", kind=HARD, link="usr/lib/so"),
    entry("lost", kind=HARD, link="nowhere"),
    entry("chain0", b"3"),
    *(entry(f"chain{number}", kind=LINK, link=f"chain{number - 1}") for number in range(1, 42)),
)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("usr/bin/python3", "usr/bin/python3"),
        ("/usr/bin/python3", "usr/bin/python3"),
        ("bin/python", "usr/bin/python3"),
        ("/absolute/so", "usr/lib/so"),
        ("usr/up", "usr/lib/so"),
        ("usr/bin/../lib/./so", "usr/lib/so"),
        ("loop", None),
        ("dangling", None),
        ("second", "usr/lib/so"),
        ("lost", "lost"),
        ("nowhere", None),
        ("chain40", "chain0"),
        ("chain41", None),
    ],
)
def test_paths_lead_through_links_and_never_outside(
    engine: FakeEngine, tmp_path: Path, path: str, wanted: str | None
) -> None:
    file = read(engine, tmp_path, TREE).resolve(path)
    assert (file.path if file else None) == wanted


# ---- texts -----------------------------------------------------------------


def test_texts_are_those_that_a_container_sees(engine: FakeEngine, tmp_path: Path) -> None:
    lower = tar_of({"etc/passwd": b"one", "etc/group": b"gone", "etc/shadow": b"secret"})
    upper = layer(entry("etc/passwd", b"tw\xff"), entry("etc/.wh.group"))
    contents = read(engine, tmp_path, lower, upper)
    assert contents.text("etc/passwd") == "tw\\xff"
    assert contents.text("etc/group") is None
    assert contents.text("etc/shadow") is None
    assert contents.text("etc/nothing") is None
    assert dict(contents.texts) == {"etc/passwd": "tw\\xff"}


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("etc/os-release", True),
        ("usr/lib/os-release", True),
        ("etc/ld.so.conf.d/x.conf", True),
        ("var/lib/dpkg/status.d/libc6", True),
        ("var/lib/dpkg/info/libc6:amd64.list", True),
        ("lib/apk/db/installed", True),
        ("opt/sutra/pyvenv.cfg", True),
        ("a/b/numpy-2.0.dist-info/RECORD", True),
        ("numpy-2.0.dist-info/METADATA", True),
        ("usr/share/sutra/cleanup.json", True),
        ("a/RECORD", False),
        ("etc/passwd-", False),
        ("my/etc/passwd", False),
    ],
)
def test_which_texts_are_kept(engine: FakeEngine, tmp_path: Path, path: str, kept: bool) -> None:
    contents = read(engine, tmp_path, tar_of({path: b"text"}))
    assert contents.text(path) == ("text" if kept else None)


@pytest.mark.parametrize(("size", "kept"), [(4 << 20, True), ((4 << 20) + 1, False)])
def test_a_text_has_a_largest_size(
    engine: FakeEngine, tmp_path: Path, size: int, kept: bool
) -> None:
    content = b"x" * size
    contents = read(engine, tmp_path, tar_of({"etc/passwd": content}))
    assert (contents.text("etc/passwd") is not None) == kept
    assert contents.files["etc/passwd"].digest == digest(content)


# ---- .pyc ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (0, Pyc(3571, "timestamp", 77, 88)),
        (1, Pyc(3571, "unchecked-hash", hash="4d00000058000000")),
        (3, Pyc(3571, "checked-hash", hash="4d00000058000000")),
    ],
)
def test_the_header_of_a_pyc(flags: int, wanted: Pyc) -> None:
    head = struct.pack("<H2sLLL", 3571, b"\r\n", flags, 77, 88)
    assert pyc(head) == wanted
    assert pyc(head[:15]) is None


# ---- the cache -------------------------------------------------------------


def test_what_was_read_comes_back_the_same(engine: FakeEngine, tmp_path: Path) -> None:
    image = FakeImage([TREE, tar_of({"etc/passwd": b"x", "m.pyc": bytes(16)})])
    name = engine.add(image)
    cold = inventory.read(engine, name, tmp_path)
    assert inventory.read(engine, name, tmp_path) == cold
    assert engine.saves == [name]


@pytest.mark.parametrize("damage", ["cut", "garbage", "gone", "other JSON", "short rows"])
def test_a_damaged_cache_is_read_again(engine: FakeEngine, tmp_path: Path, damage: str) -> None:

    name = engine.add(FakeImage([TREE]))
    cold = inventory.read(engine, name, tmp_path)
    (file,) = tmp_path.rglob("*.gz")
    whole = file.read_bytes()
    file.unlink()
    contents = {
        "cut": whole[:-5],
        "garbage": b"garbage",
        "other JSON": gzip.compress(b'{"a": 1}\n'),
        "short rows": gzip.compress(b'["a"]\n'),
    }
    if damage in contents:
        file.write_bytes(contents[damage])
    assert inventory.read(engine, name, tmp_path) == cold
    assert engine.saves == [name, name]
    assert gzip.decompress(file.read_bytes()) == gzip.decompress(whole)


def test_another_way_of_finding_voids_the_cache(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = engine.add(FakeImage([TREE]))
    inventory.read(engine, name, tmp_path)
    monkeypatch.setattr(entry_cache, "method", lambda: "entries-2")
    inventory.read(engine, name, tmp_path)
    assert engine.saves == [name, name]


def test_a_cache_that_is_emptied_meanwhile_is_one_clear_line(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = engine.add(FakeImage([TREE]))
    monkeypatch.setattr(entry_cache, "load", lambda *_: None)
    with pytest.raises(SutraError) as caught:
        inventory.read(engine, name, tmp_path)
    assert caught.value.message == f'layers: cache was emptied while "{name}" was read'
    assert caught.value.tip == "run the same command again"


@given(st.binary())
def test_the_hash_of_a_source_is_what_this_python_writes(source: bytes) -> None:
    magic = int.from_bytes(importlib.util.MAGIC_NUMBER[:2], "little")
    assert source_hash(magic, source) == importlib.util.source_hash(source).hex()


def test_the_hash_of_a_source_is_what_python_3_13_writes() -> None:
    """Compare with the value of importlib.util.source_hash in Debian 13's python3.13."""
    assert source_hash(MAGIC["3.13"], b"x = 1\n") == "e786e2893651120e"


RECORD = {"var/lib/dpkg/status": b"Package: a\n", "etc/b": b""}
TOO_MUCH = [
    ("MAX_ENTRIES", 5, "more than 4 entries in all layers"),
    ("MAX_TEXTS", 22, "more than 21 bytes of package records in all layers"),
    ("MAX_LINES", 2, "more than 1 lines of package records in all layers"),
    ("MAX_NAMES", 53, "more than 52 bytes of names in all layers"),
]


@pytest.mark.parametrize(("bound", "most", "problem"), TOO_MUCH)
def test_what_all_layers_of_an_image_hold_has_an_end(
    engine: FakeEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bound: str,
    most: int,
    problem: str,
) -> None:
    """110 layers of 62 MB of texts each took over 3.9 GB."""
    image = FakeImage([tar_of(RECORD), tar_of({**RECORD, "etc/c": b"2"})])
    engine.add(image, "api:prod")
    client: Any = engine
    monkeypatch.setattr(held, bound, most - 1)
    with pytest.raises(SutraError) as caught:
        inventory.read(client, "api:prod", tmp_path)
    assert caught.value.message == f'engine: archive of "{image.id}" is damaged: {problem}'
    monkeypatch.setattr(held, bound, most)
    assert inventory.read(client, "api:prod", tmp_path)
    # layers in the cache are counted as well
    monkeypatch.setattr(held, bound, most - 1)
    with pytest.raises(SutraError) as caught:
        inventory.read(client, "api:prod", tmp_path)
    assert caught.value.message == f'layers: {problem} of "api:prod"'
    assert caught.value.tip == ("ordinary images are smaller; inspect its layers")


def test_layers_that_stay_in_memory_have_an_end(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: Any = engine
    engine.add(FakeImage([tar_of({"a": b"1"}), tar_of({"b": b"1"})]), "api:prod")
    inventory.read(client, "api:prod", tmp_path)
    entry_cache._RECENT.clear()
    # one layer of one entry whose name has one character
    monkeypatch.setattr(entry_cache, "LOADED", entry_cache.ENTRY + 1)
    inventory.read(client, "api:prod", tmp_path)
    assert len(entry_cache._RECENT._layers) == 1
