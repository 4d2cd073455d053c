"""packages.lock, as Python reads and writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.common.errors import SutraError
from scripts.debian import packages_lock
from scripts.debian.packages_lock import LOCK, Lock, Package
from tests.conftest import ROOT

SMALL = Package("small", "1:2.0-1", "all", "0" * 64)
DAY = "20260102T000000Z"


def test_the_project_s_own_lock_has_a_day_and_is_written_back_the_same(tmp_path: Path) -> None:
    lock = packages_lock.read(ROOT / LOCK)
    assert lock
    assert lock.day.endswith("T000000Z")
    packages_lock.write(lock, tmp_path / "packages.lock")
    assert (tmp_path / "packages.lock").read_text() == (ROOT / LOCK).read_text()


def test_the_slices_of_the_project_s_own_dockerfiles() -> None:
    slices = packages_lock.slices(ROOT / "base-images")
    assert set(slices) == {"sutra-base-node", "sutra-base-python", "sutra-base-rust-runtime"}
    assert "libssl3t64" in slices["sutra-base-python"]
    assert slices["sutra-base-rust-runtime"] == (
        "base-files",
        "ca-certificates",
        "gcc-14-base",
        "libc6",
        "libgcc-s1",
    )


def test_a_lock_of_the_same_packages_keeps_its_day(tmp_path: Path) -> None:
    path = tmp_path / "packages.lock"
    packages_lock.write(Lock("trixie", DAY, (SMALL,)), path)
    packages_lock.write(Lock("trixie", "20270101T000000Z", (SMALL,)), path)
    assert packages_lock.read(path) == Lock("trixie", DAY, (SMALL,))
    other = Package("small", "1:2.0-2", "all", "1" * 64)
    packages_lock.write(Lock("trixie", "20270101T000000Z", (other,)), path)
    assert packages_lock.read(path) == Lock("trixie", "20270101T000000Z", (other,))
    assert [file.name for file in tmp_path.iterdir()] == ["packages.lock"]


def test_what_changes_is_a_line_for_each_package(tmp_path: Path) -> None:
    path = tmp_path / "packages.lock"
    new = Lock("trixie", DAY, (Package("small", "1:2.0-2", "all", "1" * 64),))
    assert packages_lock.changes(new, path) == ["small all: (none) → 1:2.0-2"]
    packages_lock.write(Lock("trixie", DAY, (SMALL, Package("z1", "1", "all", "0" * 64))), path)
    assert packages_lock.changes(new, path) == [
        "small all: 1:2.0-1 → 1:2.0-2",
        "z1 all: 1 → (none)",
    ]
    packages_lock.write(new, path)
    assert packages_lock.changes(new, path) == []


def test_a_damaged_lock_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "packages.lock"
    path.write_text("<<<<<<< HEAD\n")
    packages_lock.write(Lock("trixie", DAY, (SMALL,)), path)
    assert packages_lock.read(path) == Lock("trixie", DAY, (SMALL,))


def test_no_lock_is_none(tmp_path: Path) -> None:
    assert packages_lock.read(tmp_path / "packages.lock") is None


HASH = "0" * 64


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# suite: trixie\nsmall 1.0 all\n", 'line 2: not a locked package "small 1.0 all"'),
        (
            f"# suite: trixie\nsmall one all {HASH}\n",
            f'line 2: not a locked package "small one all {HASH}"',
        ),
        (
            f"# suite: trixie\n../x 1.0 all {HASH}\n",
            f'line 2: not a locked package "../x 1.0 all {HASH}"',
        ),
        (
            f"# suite: trixie\nsmall 1.0 s390x {HASH}\n",
            f'line 2: not a locked package "small 1.0 s390x {HASH}"',
        ),
        ("# suite: trixie\nsmall 1.0 all 00\n", 'line 2: not a locked package "small 1.0 all 00"'),
        (f"small 1.0 all {HASH}\n", 'suite: not a release of Debian ""'),
        (
            f"# suite: trixie\nsmall 1.0 all {HASH}\nsmall 1.1 all {HASH}\n",
            'line 3: locked twice "small"',
        ),
        (
            f"# suite: trixie\nsmall 1.0 arm64 {HASH}\nsmall 1.1 all {HASH}\n",
            'line 3: locked twice "small"',
        ),
        (
            f"# suite: trixie\n# day: tomorrow\nsmall 1.0 all {HASH}\n",
            'day: not a day of Debian\'s snapshots "tomorrow"',
        ),
        (
            f"\ufeffsmall 1.0 all {HASH}\n",
            f'line 1: not a locked package "\N{REPLACEMENT CHARACTER}small 1.0 all {HASH}"',
        ),
        ("# suite: ../..\n", 'suite: not a release of Debian "../.."'),
    ],
)
def test_a_damaged_lock_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "packages.lock"
    path.write_text(text)
    with pytest.raises(SutraError) as caught:
        packages_lock.read(path)
    assert caught.value.message == f"{path}: {problem}"
    assert caught.value.tip == "`make update ONLY=debian` writes it anew"
