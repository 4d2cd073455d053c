from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

import pytest
from sutra_cleanup import descriptions, manifest, tree
from sutra_cleanup.descriptions import Described
from sutra_cleanup.trash import Trash

from tests.unit.cleanup.trees import SITE, Link, make, snapshot

FIELDS = "Metadata-Version: 2.4\nName: one\nVersion: 1.0\nLicense-File: LICENSE\n"
README = "\n# one\n\nName: a line that is no field\n"
INFO = f"{SITE}/one-1.0.dist-info"
FILE = f"{INFO}/METADATA"
LICENCES = ["licenses/LICENSE", "licenses/deep/er.txt", "LICENSE.txt", "LICENCE", "COPYING"]


def package(licence: str = "licenses/LICENSE", text: str = FIELDS + README) -> dict[str, str]:
    return {FILE: text, f"{INFO}/{licence}": "may be used by all"}


def drop(root: Path, text: str = "{}", undo: bool = False) -> Described:
    (root.parent / "cleanup.yaml").write_text(text)
    plan = tree.plan(root, manifest.load(root.parent / "cleanup.yaml"))
    with Trash(root) as trash:
        done = descriptions.drop(plan, trash)
        if undo:
            trash.put_all_back()
    return done


@pytest.mark.parametrize("licence", LICENCES)
def test_the_fields_stay_and_the_description_leaves(tmp_path: Path, licence: str) -> None:
    root = make(tmp_path / "tree", package(licence))
    os.chmod(root / FILE, 0o640)
    assert drop(root) == Described(1, len(README))
    assert (root / FILE).read_text() == FIELDS
    assert (root / FILE).stat().st_mode & 0o777 == 0o640
    distribution = importlib.metadata.PathDistribution(root / INFO)
    assert (distribution.name, distribution.version) == ("one", "1.0")
    assert distribution.metadata.get_all("License-File") == ["LICENSE"]


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", package())
    drop(root)
    before = snapshot(root)
    assert drop(root) == Described()
    assert snapshot(root) == before


def test_what_is_undone_is_as_it_was(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", package())
    before = snapshot(root)
    assert drop(root, undo=True).files == 1
    assert snapshot(root) == before


@pytest.mark.parametrize(
    "files",
    [
        {FILE: FIELDS + README},  # it may hold the licence's text
        {FILE: FIELDS + README, f"{INFO}/AUTHORS": "us", f"{SITE}/one/LICENSE": "another's"},
        {FILE: FIELDS + README, f"{SITE}/two-1.0.dist-info/LICENSE": "another's"},
        {f"{INFO}/LICENSE": "all", FILE: Link("../METADATA"), f"{SITE}/METADATA": FIELDS + README},
        {f"{SITE}/one/METADATA": FIELDS + README, f"{SITE}/one/LICENSE": "no distribution"},
    ],
)
def test_others_stay(tmp_path: Path, files: dict[str, str | bytes | Link]) -> None:
    root = make(tmp_path / "tree", files)
    before = snapshot(root)
    assert drop(root) == Described()
    assert snapshot(root) == before


def test_a_rule_keeps_one(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", package())
    rules = "rules: {shown: {why: its page shows it, keep: [one-*.dist-info/METADATA]}}"
    assert drop(root, rules) == Described()
    assert (root / FILE).read_text() == FIELDS + README


def test_a_licence_that_leaves_keeps_nothing_out(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", package())
    assert drop(root, "rules: {all: {why: a test, remove: [licenses/]}}") == Described()


@pytest.mark.parametrize(
    ("metadata", "left"),
    [
        (b"Name: a\n\nlong\n", b"Name: a\n"),
        (b"Name: a\r\n\r\nlong\r\n", b"Name: a\r\n"),
        (b"Name: a\nDescription: one\n  two\n\nlong", b"Name: a\nDescription: one\n  two\n"),
        (b"Name: \xff\n\n\xff", b"Name: \xff\n"),
        # nothing to cut
        (b"", b""),
        (b"Name: a\n", b"Name: a\n"),
        (b"Name: a\n\n", b"Name: a\n\n"),
        (b"Name: a\n \n\n", b"Name: a\n \n\n"),
        # no fields that a reader would find again
        (b"\n\nName: a\n", b"\n\nName: a\n"),
    ],
)
def test_fields(metadata: bytes, left: bytes) -> None:
    assert descriptions.fields(metadata) == left
