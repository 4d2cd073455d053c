"""Two builds that differ in one thing: it is named, by layer and file, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from scripts.image.entry import Entry
from scripts.image.inventory import Inventory, LayerFiles
from scripts.reproduce.compare import first_difference

FILE = Entry("opt/app.py", "file", 3, 0o644, 0, 0, 315532800, digest="aa")
FOLDER = Entry("opt", "folder", 0, 0o755, 0, 0, 315532800)
LINK = Entry("opt/now", "symlink", 0, 0o777, 0, 0, 315532800, "app.py")
CONFIG = {"architecture": "amd64", "created": "then", "config": {"Labels": {"a": "1"}}}


def image(*layers: Sequence[Entry], **config: Any) -> Inventory:
    """Return an image; its layers' digests are those of what is in them."""
    files = tuple(
        LayerFiles(str(hash(tuple(map(repr, entries)))), 0, 0, tuple(entries), {})
        for entries in layers
    )
    whole = {**CONFIG, **config}
    identity = repr((sorted(whole.items()), [layer.diff_id for layer in files]))
    return Inventory("x", identity, "amd64", whole, files)


def test_the_same_image_is_identical() -> None:
    assert first_difference(image([FOLDER, FILE]), image([FOLDER, FILE])) == ""


@pytest.mark.parametrize(
    ("changed", "how"),
    [
        ({"mtime": 315532801}, "mtime 1980-01-01 00:00:00, now 1980-01-01 00:00:01"),
        ({"mtime": 1 << 70}, f"mtime 1980-01-01 00:00:00, now {1 << 70}"),
        ({"mode": 0o600}, "mode 0644, now 0600"),
        ({"uid": 10001}, "owner 0:0, now 10001:0"),
        ({"gid": 7}, "owner 0:0, now 0:7"),
        ({"digest": "bb"}, "bytes"),
        ({"digest": "bb", "size": 4}, "bytes 3, now 4"),
        ({"kind": "symlink"}, "kind file, now symlink"),
        ({"digest": "bb", "mode": 0o755}, "bytes; mode 0644, now 0755"),
    ],
)
def test_one_thing_of_a_file(changed: dict[str, Any], how: str) -> None:
    before, after = (
        image([FOLDER], [FOLDER, FILE]),
        image([FOLDER], [FOLDER, replace(FILE, **changed)]),
    )
    assert first_difference(before, after) == f"layer 2 of 2: opt/app.py: {how}"


def test_a_link_that_leads_elsewhere() -> None:
    after = image([FILE, replace(LINK, link="b\n")])
    expected = "layer 1 of 1: opt/now: link to app.py, now to b�"
    assert first_difference(image([FILE, LINK]), after) == expected


def test_files_that_came_and_went() -> None:
    both, folder = image([FOLDER, FILE]), image([FOLDER])
    assert first_difference(both, folder) == "layer 1 of 1: opt/app.py: is not there again"
    assert first_difference(folder, both) == "layer 1 of 1: opt/app.py: was not there"


def test_another_order() -> None:
    before, after = image([FOLDER, FILE]), image([FILE, FOLDER])
    assert first_difference(before, after) == (
        "layer 1 of 1: the same files, in another order or with other headers"
    )


def test_another_number_of_layers() -> None:
    assert first_difference(image([FOLDER]), image([FOLDER], [FILE])) == "1 layers, now 2"
    assert first_difference(image([FOLDER], [FILE]), image([FOLDER])) == "2 layers, now 1"


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ({"created": "now"}, 'config: created "then", now "now"'),
        ({"config": {"Labels": {"a": "2"}}}, 'config: config.Labels.a "1", now "2"'),
        ({"config": {"Labels": {"a": "1"}, "User": "0"}}, 'config: config.User "None", now "0"'),
    ],
)
def test_the_config(config: dict[str, Any], line: str) -> None:
    assert first_difference(image([FILE]), image([FILE], **config)) == line
