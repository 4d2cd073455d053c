"""npm packages by their package.json: names, folders, owners, and what is none of them."""

from __future__ import annotations

import json

import pytest

from scripts.image import kept_texts, node_packages
from scripts.image.entry import Entry
from scripts.image.node_packages import NodePackage
from scripts.image.package_owners import OTHER, Owner, of

TREE = "app/node_modules"
ONE = Owner("node", "one", "1.0.0")


def owned(paths: list[str], texts: dict[str, str]) -> dict[str, Owner]:
    files = {path: Entry(path, "file", 1, 0o644, 0, 0, 0) for path in [*paths, *texts]}
    return {path: owner for path, owner in of(files, texts, {}).items() if path not in texts}


def about(name: str, version: str = "1.0.0", **more: object) -> str:
    return json.dumps({"name": name, "version": version, **more})


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        (f"{TREE}/one/index.js", f"{TREE}/one"),
        (f"{TREE}/@scope/one/lib/a.js", f"{TREE}/@scope/one"),
        (f"{TREE}/one/node_modules/two/a.js", f"{TREE}/one/node_modules/two"),
        ("node_modules/one/package.json", "node_modules/one"),
        (f"{TREE}/.bin/one", ""),
        (f"{TREE}/.package-lock.json", ""),
        (f"{TREE}/@scope/file", ""),
        (f"{TREE}/file", ""),
        ("app/not_node_modules/one/index.js", ""),
        (f"{TREE}/one/a\nb.js", f"{TREE}/one"),
    ],
)
def test_a_file_is_of_the_innermost_package(path: str, folder: str) -> None:
    assert node_packages.folder_of(path) == folder


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        (f"{TREE}/one/package.json", True),
        (f"{TREE}/@scope/one/package.json", True),
        (f"{TREE}/one/node_modules/two/package.json", True),
        (f"{TREE}/one/dist/package.json", False),
        ("app/package.json", False),
        (f"{TREE}/.one/package.json", False),
    ],
)
def test_the_text_of_a_packages_own_file_is_kept(path: str, kept: bool) -> None:
    assert kept_texts.has_name(path) is kept


@pytest.mark.parametrize(
    ("text", "package"),
    [
        (about("@a/one", license="MIT"), NodePackage("@a/one", "1.0.0", ("MIT",))),
        (about("one", license={"type": "BSD"}), NodePackage("one", "1.0.0", ("BSD",))),
        (
            about("one", licenses=[{"type": "MIT"}, {"type": "GPL"}, 1, {}]),
            NodePackage("one", "1.0.0", ("MIT", "GPL")),
        ),
        (about("one", license=" "), NodePackage("one", "1.0.0")),
        (about("one", "1.0.0-rc.1+b"), NodePackage("one", "1.0.0-rc.1+b")),
        (about("../one"), None),
        (about("one", "1 0"), None),
        (about(""), None),
        ('{"name": "one"}', None),
        ('{"name": ["one"], "version": "1"}', None),
        ("[]", None),
        ("{", None),
        ("[" * 100_000, None),
    ],
)
def test_what_a_package_says_of_itself(text: str, package: NodePackage | None) -> None:
    assert node_packages.parse(text) == package


def test_all_files_of_a_package_are_its_own() -> None:
    texts = {
        f"{TREE}/one/package.json": about("one"),
        f"{TREE}/one/node_modules/two/package.json": about("two", "2.0.0"),
    }
    paths = [f"{TREE}/one/a.js", f"{TREE}/one/node_modules/two/a.js", f"{TREE}/.bin/one"]
    assert owned(paths, texts) == {
        paths[0]: ONE,
        paths[1]: Owner("node", "two", "2.0.0"),
        paths[2]: Owner("ours", "ours"),
    }


def test_a_folder_that_says_nothing_is_of_nobody() -> None:
    paths = ["srv/node_modules/one/a.js"]
    assert owned(paths, {"srv/node_modules/one/package.json": "{"}) == {paths[0]: OTHER}
    assert owned(paths, {}) == {paths[0]: OTHER}


def test_a_package_of_debian_stays_debians() -> None:
    path = "usr/share/nodejs/npm/node_modules/one/a.js"
    texts = {
        "usr/share/nodejs/npm/node_modules/one/package.json": about("one"),
        "var/lib/dpkg/status.d/npm": "Package: npm\nVersion: 9\n",
        "var/lib/dpkg/status.d/npm.md5sums": f"{'0' * 32}  {path}\n",
    }
    assert owned([path], texts) == {path: Owner("debian", "npm", "9")}
