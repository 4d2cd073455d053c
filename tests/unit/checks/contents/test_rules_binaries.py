"""ELF files: what each rule fails, and what passes."""

from __future__ import annotations

from scripts.checks.contents.rules_binaries import RULES
from tests.support.fixture_images import elf
from tests.unit.checks.contents.judging import (
    Forbids,
    Passes,
    case,
    passing,
)

FAILING = [
    case("architecture", 'of aarch64 "app/x"', {"app/x": elf(machine="aarch64")}),
    case("architecture", 'damaged ELF file "app/x"', {"app/x": b"\x7fELFnothing"}),
    case("stripped", 'not stripped "app/x"', {"app/x": elf(symbols=True)}),
    case(
        "libraries",
        'interpreter not found "/lib/ld-none.so.1", of "app/x"',
        {"app/x": elf(interpreter="/lib/ld-none.so.1")},
    ),
    case(
        "libraries",
        'library not found "libz.so.1", needed by "app/x"',
        {"app/x": elf(["libz.so.1"])},
    ),
]


PASSING = [
    passing("a static program", {"app/x": elf()}),
    passing(
        "a library found by $ORIGIN",
        {"app/x": elf(["l.so"], runpath="$ORIGIN/lib"), "app/lib/l.so": elf(soname="l.so")},
    ),
]


class TestBinaries(Forbids, Passes):
    rules, failing = RULES, FAILING
    passing = PASSING
    elsewhere = ("hardened",)  # test_planted_faults has its images
