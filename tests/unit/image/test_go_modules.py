"""Read the modules that a Go program names, as `go version -m` shows them."""

from __future__ import annotations

import io

import pytest

from scripts.image import elf, go_modules
from scripts.image.entry import Entry
from scripts.image.package_owners import Owner, of
from tests.support import fixture_images
from tests.support.fixture_images import buildinfo

LINES = (
    "path\tsutra-greeter",
    "mod\tsutra-greeter\t(devel)\t",
    "dep\tgolang.org/x/sync\tv0.17.0\th1:l60=",
    "dep\tgithub.com/a/old\tv1.0.0",
    "=>\tgithub.com/b/new\tv1.2.0\th1:x=",
    "build\t-trimpath=true",
)
MODULES = (
    ("go", "go1.24.4"),
    ("github.com/a/old", "github.com/b/new@v1.2.0"),
    ("golang.org/x/sync", "v0.17.0"),
)


def test_modules_are_read_with_what_replaces_one() -> None:
    assert go_modules.modules(buildinfo(*LINES)) == MODULES


def test_a_toolchain_with_experiments_is_its_version() -> None:
    assert go_modules.modules(buildinfo(version="go1.25.0 X:nodwarf5")) == (("go", "go1.25.0"),)


def test_a_long_list_is_whole() -> None:
    lines = [f"dep\texample.com/m{number:04}\tv1.0.0" for number in range(2000)]
    assert len(go_modules.modules(buildinfo(*lines))) == 2001


@pytest.mark.parametrize(
    "section",
    [
        b"",
        b"\xff Go buildinf:",
        buildinfo(*LINES)[:-1],
        buildinfo(*LINES)[:33],
        buildinfo().replace(b"\x08\x02", b"\x08\x00"),  # of Go before 1.18: pointers
        buildinfo()[:32] + b"\xff" * 9,
    ],
)
def test_a_section_of_another_form_is_refused(section: bytes) -> None:
    with pytest.raises(ValueError, match=r"of another form|cut off"):
        go_modules.modules(section)
    facts = elf.facts(io.BytesIO(fixture_images.elf(buildinfo=section)))
    assert (facts.language, facts.modules) == ("", ())


def test_a_program_is_go_and_owned_by_itself() -> None:
    facts = elf.facts(io.BytesIO(fixture_images.elf(buildinfo=buildinfo(*LINES))))
    assert (facts.language, facts.modules) == ("go", MODULES)
    path = "usr/local/bin/sutra-greeter"
    files = {path: Entry(path, "file", 1, 0o755, 0, 0, 0, elf=facts)}
    labels = {"org.opencontainers.image.version": "1.2"}
    assert of(files, {}, labels) == {path: Owner("go", "sutra-greeter", "1.2")}
