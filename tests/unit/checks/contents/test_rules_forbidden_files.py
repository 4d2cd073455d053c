"""Files that production does not need: what each rule fails, and what passes."""

from __future__ import annotations

from scripts.checks.contents.rules_forbidden_files import RULES
from tests.support.fixture_images import Item, elf, pyc
from tests.support.good_image import SITE
from tests.unit.checks.contents.judging import (
    Forbids,
    Passes,
    case,
    passing,
)

FAILING = [
    case("headers", 'forbidden "app/x.h"', {"app/x.h": ""}),
    case("headers", 'forbidden "usr/include/c++/vector"', {"usr/include/c++/vector": ""}),
    case("static-libraries", 'forbidden "app/libx.a"', {"app/libx.a": ""}),
    case("tests", 'forbidden "app/tests/x.txt"', {"app/tests/x.txt": ""}),
    case("tests", 'forbidden "app/conftest.pyc"', {"app/conftest.pyc": pyc()}),
    case("docs", 'forbidden "usr/share/doc/libc6/NEWS"', {"usr/share/doc/libc6/NEWS": ""}),
    case("docs", 'forbidden "usr/share/man/man1/x.1"', {"usr/share/man/man1/x.1": ""}),
    case(
        "docs",
        f'forbidden "{SITE}/one-1.0.dist-info/README.md"',
        {f"{SITE}/one-1.0.dist-info/README.md": ""},
    ),
    *(
        case("docs", f'forbidden "{path}"', {path: ""})
        for path in (
            "app/docs/x.html",
            "app/README.md",
            "app/readme.txt",
            "opt/x/y/README",
            "app/CHANGELOG",
            "usr/local/x/examples/x.json",
        )
    ),
    case("tests", 'forbidden "app/testdata/x.json"', {"app/testdata/x.json": ""}),
    case("tests", 'forbidden "app/routes.test"', {"app/routes.test": elf(kind=2)}),
    case(
        "caches",
        'forbidden "root/go/pkg/mod/golang.org/x/sync@v0.17.0/x"',
        {"root/go/pkg/mod/golang.org/x/sync@v0.17.0/x": ""},
    ),
    case("caches", 'forbidden "go/pkg/mod/cache/download/x"', {"go/pkg/mod/cache/download/x": ""}),
    case("build-files", 'forbidden "app/go.mod"', {"app/go.mod": ""}),
    *(
        case("build-files", f'forbidden "app/{name}"', {f"app/{name}": ""})
        for name in (
            "package-lock.json",
            "yarn.lock",
            "tsconfig.build.json",
            "binding.gyp",
            "build/config.gypi",
            "build/addon.target.mk",
            "build/obj.target/addon.node",
        )
    ),
    case("build-files", 'forbidden "app/go.work.sum"', {"app/go.work.sum": ""}),
    case("caches", 'forbidden "root/.cache/pip/x"', {"root/.cache/pip/x": ""}),
    case(
        "caches",
        'forbidden "srv/pkgs/zlib-1.3-h0_0"',
        {f"srv/pkgs/zlib-1.3-h0_0/info/{name}.json": "{}" for name in ("index", "paths")},
    ),
    case("caches", 'forbidden "var/lib/apt/lists/x"', {"var/lib/apt/lists/x": ""}),
    case("build-files", 'forbidden "app/x.pyx"', {"app/x.pyx": ""}),
    case("build-files", 'forbidden "app/.git/HEAD"', {"app/.git/HEAD": ""}),
]


PASSING = [
    passing("an index in a folder called info", {"app/info/index.json": "{}"}),
    passing(
        "a module called docs, and what is like a README",
        {
            "app/docs/__init__.pyc": pyc(),
            "app/history.pyc": pyc(),
            "app/changes.json": "",
            "app/docs.json": "",
        },
    ),
    passing("a licence in Markdown", {f"{SITE}/one-1.0.dist-info/LICENSE.md": ""}),
    passing("a folder called tests", {"app/tests": Item(kind="folder", mode=0o755)}),
    passing("a copyright file", {"usr/share/doc/libc6/copyright": ""}),
]


class TestForbiddenFiles(Forbids, Passes):
    rules, failing = RULES, FAILING
    passing = PASSING
