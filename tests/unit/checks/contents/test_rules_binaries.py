"""ELF files: what each rule fails, and what passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.checks.contents.rules_binaries import RULES
from tests.support.fixture_images import Made, elf
from tests.support.good_image import NAME
from tests.unit.checks.contents.judging import (
    case,
    details,
    passing,
    verify,
)

FAILING = [
    case("architecture", 'of aarch64 "app/x"', {"app/x": elf(machine="aarch64")}),
    case("architecture", 'damaged ELF file "app/x"', {"app/x": b"\x7fELFnothing"}),
    case("stripped", 'not stripped "app/x"', {"app/x": elf(symbols=True)}),
    case("libraries", 'interpreter not found "/lib/ld-none.so.1", of "app/x"',
         {"app/x": elf(interpreter="/lib/ld-none.so.1")}),
    case("libraries", 'library not found "libz.so.1", needed by "app/x"',
         {"app/x": elf(["libz.so.1"])}),
]  # fmt: skip


PASSING = [
    passing("a static program", {"app/x": elf()}),
    passing("a library found by $ORIGIN", {"app/x": elf(["l.so"], runpath="$ORIGIN/lib"),
                                           "app/lib/l.so": elf(soname="l.so")}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "message", "image"), FAILING)
def test_what_a_rule_forbids_fails_that_rule_alone(
    rule: str, message: str, image: Made, tmp_path: Path
) -> None:
    results = verify(tmp_path, image)
    assert details(results, tmp_path) == [f"images.yaml: images.{NAME}.contents.{rule}: {message}"]


def test_every_rule_has_an_image_that_fails_it() -> None:
    # test_planted_faults has the images that "hardened" fails
    assert {item.values[0] for item in FAILING} | {"hardened"} == {rule.name for rule in RULES}


@pytest.mark.parametrize("image", PASSING)
def test_what_is_near_to_it_passes(image: Made, tmp_path: Path) -> None:
    assert details(verify(tmp_path, image), tmp_path) == []
