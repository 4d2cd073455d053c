"""Files that production needs none of: what each rule fails, and what passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.checks.contents.rules_forbidden_files import RULES
from tests.support.fixture_images import Item, Made, elf, pyc
from tests.support.good_image import NAME, SITE
from tests.unit.checks.contents.judging import (
    case,
    details,
    passing,
    verify,
)

FAILING = [
    case("headers", 'forbidden "app/x.h"', {"app/x.h": ""}),
    case("headers", 'forbidden "usr/include/c++/vector"', {"usr/include/c++/vector": ""}),
    case("static-libraries", 'forbidden "app/libx.a"', {"app/libx.a": ""}),
    case("tests", 'forbidden "app/tests/x.txt"', {"app/tests/x.txt": ""}),
    case("tests", 'forbidden "app/conftest.pyc"', {"app/conftest.pyc": pyc()}),
    case("docs", 'forbidden "usr/share/doc/libc6/NEWS"', {"usr/share/doc/libc6/NEWS": ""}),
    case("docs", 'forbidden "usr/share/man/man1/x.1"', {"usr/share/man/man1/x.1": ""}),
    case("docs", f'forbidden "{SITE}/one-1.0.dist-info/README.md"',
         {f"{SITE}/one-1.0.dist-info/README.md": ""}),
    *(case("docs", f'forbidden "{path}"', {path: ""}) for path in (
        "app/docs/x.html", "app/README.md", "app/readme.txt", "opt/x/y/README", "app/CHANGELOG",
        "usr/local/x/examples/x.json")),
    case("tests", 'forbidden "app/testdata/x.json"', {"app/testdata/x.json": ""}),
    case("tests", 'forbidden "app/routes.test"', {"app/routes.test": elf(kind=2)}),
    case("caches", 'forbidden "root/go/pkg/mod/golang.org/x/sync@v0.17.0/x"',
         {"root/go/pkg/mod/golang.org/x/sync@v0.17.0/x": ""}),
    case("caches", 'forbidden "go/pkg/mod/cache/download/x"',
         {"go/pkg/mod/cache/download/x": ""}),
    case("build-files", 'forbidden "app/go.mod"', {"app/go.mod": ""}),
    case("build-files", 'forbidden "app/go.work.sum"', {"app/go.work.sum": ""}),
    case("caches", 'forbidden "root/.cache/pip/x"', {"root/.cache/pip/x": ""}),
    case("caches", 'forbidden "var/lib/apt/lists/x"', {"var/lib/apt/lists/x": ""}),
    case("build-files", 'forbidden "app/x.pyx"', {"app/x.pyx": ""}),
    case("build-files", 'forbidden "app/.git/HEAD"', {"app/.git/HEAD": ""}),
]  # fmt: skip


PASSING = [
    passing("a module called docs, and what is like a README",
            {"app/docs/__init__.pyc": pyc(), "app/history.pyc": pyc(), "app/changes.json": "",
             "app/docs.json": ""}),
    passing("a licence in Markdown", {f"{SITE}/one-1.0.dist-info/LICENSE.md": ""}),
    passing("a folder called tests", {"app/tests": Item(kind="folder", mode=0o755)}),
    passing("a copyright file", {"usr/share/doc/libc6/copyright": ""}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "message", "image"), FAILING)
def test_what_a_rule_forbids_fails_that_rule_alone(
    rule: str, message: str, image: Made, tmp_path: Path
) -> None:
    results = verify(tmp_path, image)
    assert details(results, tmp_path) == [f"images.yaml: images.{NAME}.contents.{rule}: {message}"]


def test_every_rule_has_an_image_that_fails_it() -> None:
    assert {item.values[0] for item in FAILING} == {rule.name for rule in RULES}


@pytest.mark.parametrize("image", PASSING)
def test_what_is_near_to_it_passes(image: Made, tmp_path: Path) -> None:
    assert details(verify(tmp_path, image), tmp_path) == []
