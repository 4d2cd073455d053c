from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest
from sutra_cleanup import manifest, tree
from sutra_cleanup.dedupe import Deduped, dedupe
from sutra_cleanup.trash import Trash

from tests.unit.cleanup.trees import Link, library, make, needs_gcc, snapshot

ELF = b"\x7fELF same bytes"


def deduped(root: Path, text: str = "{}", undo: bool = False) -> Deduped:
    (root.parent / "cleanup.yaml").write_text(text)
    plan = tree.plan(root, manifest.load(root.parent / "cleanup.yaml"))
    with Trash(root) as trash:
        done = dedupe(plan, trash)
        if undo:
            trash.put_all_back()
    return done


def links(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): os.readlink(path)
        for path in sorted(root.rglob("*"))
        if path.is_symlink()
    }


def test_equal_libraries_become_relative_links_to_the_first(tmp_path: Path) -> None:
    root = make(
        tmp_path / "tree",
        {"a/x.so": ELF, "b/c/y.so.1": ELF, "a/z.so": ELF, "top.so": ELF, "w.so": ELF + b"!"},
    )
    assert deduped(root) == Deduped(3, 3 * len(ELF))
    assert links(root) == {"a/z.so": "x.so", "b/c/y.so.1": "../../a/x.so", "top.so": "a/x.so"}
    assert [(root / path).read_bytes() for path in links(root)] == [ELF] * 3


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ELF + b"1", ELF + b"2"),  # of one size
        (ELF, ELF + b"1"),
        (b"GROUP(libc.so.6)", b"GROUP(libc.so.6)"),  # a linker's script
    ],
)
def test_other_files_stay_apart(tmp_path: Path, first: bytes, second: bytes) -> None:
    root = make(tmp_path / "tree", {"a.so": first, "b.so": second, "a.py": ELF, "b.py": ELF})
    before = snapshot(root)
    assert deduped(root) == Deduped()
    assert snapshot(root) == before


def test_links_are_neither_replaced_nor_pointed_to(tmp_path: Path) -> None:
    make(tmp_path, {"outside.so": ELF})
    root = make(
        tmp_path / "tree",
        {"a.so": Link("../outside.so"), "b.so": Link("c.so"), "c.so": ELF, "d.so": Link("nowhere")},
    )
    before = snapshot(root)
    assert deduped(root) == Deduped()
    assert snapshot(root) == before


def test_what_leaves_is_not_pointed_to(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {"a.so": ELF, "b.so": ELF})
    assert deduped(root, "rules: {r: {why: a, remove: [a.so]}}") == Deduped()
    assert links(root) == {}


def test_twice_changes_nothing_more(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {"a.so": ELF, "b.so": ELF})
    deduped(root)
    before = snapshot(root)
    assert deduped(root) == Deduped()
    assert snapshot(root) == before


def test_links_can_be_taken_back(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {"a.so": ELF, "b.so": ELF, "c/d.so": ELF})
    before = snapshot(root)
    assert deduped(root, undo=True).files == 2
    assert snapshot(root) == before


def test_odd_names_are_linked(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {"\udcff/line\nbreak.so": ELF, " .so": ELF})
    assert deduped(root).files == 1
    assert links(root) == {"\udcff/line\nbreak.so": "../ .so"}


@needs_gcc
def test_a_linked_library_loads(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {})
    original = library(root / "one.libs/libx.so")
    make(root, {"two.libs/libx.so": original.read_bytes()})
    assert deduped(root).files == 1
    assert ctypes.CDLL(str(root / "two.libs/libx.so")).answer() == 42
