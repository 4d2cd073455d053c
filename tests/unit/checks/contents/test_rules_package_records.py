"""Records and licences of packages: what each rule fails, and what passes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.checks.contents.rules_package_records import NODE, RULES
from tests.support.fixture_images import buildinfo, elf
from tests.support.good_image import LIB, SITE, good
from tests.unit.checks.contents.judging import (
    APK,
    EGG,
    Forbids,
    Passes,
    case,
    details,
    key,
    passing,
    verify,
)

NPM = '{"name": "one", "version": "1.0.0"}'
GO = buildinfo("dep\tgolang.org/x/sync\tv0.17.0")
FAILING = [
    case(
        "records",
        f'no RECORD of a distribution "{SITE}/two-1.0.dist-info"',
        {f"{SITE}/two-1.0.dist-info/METADATA": "Name: two\nLicense: MIT\n"},
    ),
    case(
        "records",
        f'no METADATA of a distribution "{SITE}/two-1.0.dist-info" (+1 more)',
        {f"{SITE}/two-1.0.dist-info/RECORD": ""},
    ),
    case("records", f'of no distribution "{SITE}/two.json"', {f"{SITE}/two.json": ""}),
    case("records", f'of no package "{LIB}/libz.so.1"', {f"{LIB}/libz.so.1": ""}),
    case("records", 'of no package "usr/local/bin/x"', {"usr/local/bin/x": elf()}),
    case("records", 'of no package "usr/local/lib/x.so"', {"usr/local/lib/x.so": elf()}),
    case("records", 'of no package "opt/sutra/bin/x"', {"opt/sutra/bin/x": elf()}),
    case("records", 'of no package "opt/x/bin/x"', {"opt/x/bin/x": elf()}),
    case("records", 'of no npm package "app/node_modules/one.js"', {"app/node_modules/one.js": ""}),
    case(
        "records",
        'of no npm package "srv/node_modules/one/a.js" (+1 more)',
        {"srv/node_modules/one/a.js": "", "srv/node_modules/one/package.json": "{}"},
    ),
    case(
        "licences",
        'no licence of npm package "app/node_modules/one"',
        {"app/node_modules/one/package.json": NPM},
    ),
    case(
        "records",
        f'no installed-files.txt of a distribution "{EGG}"',
        {f"{EGG}/PKG-INFO": "Name: old\nLicense: MIT\n"},
    ),
    case("records", f'no installed-files.txt of a distribution "{EGG}" (+1 more)', {EGG: ""}),
    case(
        "licences",
        f'no licence of distribution "{EGG}"',
        {f"{EGG}/PKG-INFO": "Name: old\n", f"{EGG}/installed-files.txt": "PKG-INFO\n"},
    ),
    case("licences", 'no licence of package "libc6"', without="usr/share/doc"),
    case(
        "licences",
        f'licence not found "{SITE}/one-1.0.dist-info/licenses/LICENSE"',
        without=f"{SITE}/one-1.0.dist-info/licenses",
    ),
    case(
        "licences",
        f'no licence of distribution "{SITE}/two-1.0.dist-info"',
        {
            f"{SITE}/two-1.0.dist-info/METADATA": "Name: two\n",
            f"{SITE}/two-1.0.dist-info/RECORD": "two.txt,,\n",
        },
    ),
    case("licences", 'no licence of package "musl"', {APK: "P:musl\nV:1\n\nP:zlib\nL:Zlib\n"}),
    case(
        "licences", 'no licence of the crates in "app/x"', {"app/x": elf(text=b"library/core/src/")}
    ),
    case(
        "licences",
        'no licence of the module "go" in "usr/local/bin/x" (+1 more)',
        {"usr/local/bin/x": elf(kind=2, buildinfo=GO)},
    ),
    case(
        "licences",
        'no licence of the module "golang.org/x/sync" in "usr/local/bin/x"',
        {
            "usr/local/bin/x": elf(kind=2, buildinfo=GO),
            "usr/share/licenses/x/go": "",
            "usr/share/licenses/x/golang.org/x/synctest/LICENSE": "",
        },
    ),
]


PASSING = [
    passing(
        "a Go program with the licences of its modules",
        {
            "usr/local/bin/x": elf(kind=2, buildinfo=GO),
            "usr/share/licenses/x/go": "",
            "usr/share/licenses/x/golang.org/x/sync/LICENSE": "",
        },
    ),
    passing(
        "a library of our own elsewhere, a Rust program with licences",
        {
            "app/bin/x": elf(),
            "usr/local/bin/x": elf(text=b"library/core/src/"),
            "usr/share/licenses/x/y": "",
        },
    ),
    passing(
        "an egg-info with its record",
        {
            f"{EGG}/PKG-INFO": "Name: old\nLicense: MIT\n",
            f"{SITE}/old.json": "",
            f"{EGG}/installed-files.txt": "PKG-INFO\n../old.json\n",
        },
    ),
    passing(
        "an egg-info of a package",
        {
            "usr/lib/old.egg-info": "",
            "var/lib/dpkg/status.d/p": "Package: p\n",
            "var/lib/dpkg/status.d/p.md5sums": "0  usr/lib/old.egg-info\n",
            "usr/share/doc/p/copyright": "",
            "usr/share/sutra/x.json": json.dumps(
                {
                    "tree": "/usr/lib",
                    "compiled": dict.fromkeys(("source", "cached", "sourceless"), 0),
                }
            ),
        },
    ),
    passing(
        "a Rust program with its licences",
        {"app/x": elf(text=b"library/core/src/"), "usr/share/licenses/x/y": ""},
    ),
    passing(
        "an npm package that has the text of its licence",
        {"app/node_modules/one/package.json": NPM, "app/node_modules/one/licence": ""},
    ),
    passing(
        "an npm package that names its licence",
        {
            "app/node_modules/@a/one/package.json": NPM.replace("}", ', "license": "MIT"}'),
            "app/node_modules/@a/one/a.js": "",
        },
    ),
    passing("Alpine's record with licences", {APK: "P:zlib\nL:Zlib\n"}),
]


class TestPackageRecords(Forbids, Passes):
    rules, failing = RULES, FAILING
    passing = PASSING


def test_a_record_that_is_not_csv_records_nothing(tmp_path: Path) -> None:
    record = f"{SITE}/one-1.0.dist-info/RECORD"
    results = verify(tmp_path, good({record: '"' + "x" * 200_000}))
    assert details(results, tmp_path) == [
        key("records") + f'of no distribution "{SITE}/one/__init__.pyc" (+1 more)',
        key("licences") + f'no licence of distribution "{SITE}/one-1.0.dist-info"',
    ]


@pytest.mark.parametrize(
    ("path", "is_of_a_package"),
    [(".package-lock.json", False), (".package-lock.json/x", True), ("one.js", True)],
)
def test_a_file_of_node_modules_is_of_a_package_but_for_npms_record(
    path: str, is_of_a_package: bool
) -> None:
    """The rule build-files names that record: once is enough."""
    assert bool(NODE.fullmatch(f"a/node_modules/{path}")) is is_of_a_package
