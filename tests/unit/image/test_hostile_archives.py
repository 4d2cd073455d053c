"""Whole images that are small to send and large to read: sizes and contents, in bounded memory.

Each ends in a right result or in one clear line. Work is counted in lines of Python, for a few
units and for twice as many: what a unit takes must not grow with how many there are.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from scripts.catalog import catalog
from scripts.checks.contents import verify
from scripts.common.errors import SutraError
from scripts.image import entry_cache, inventory
from tests.fuzz import steps
from tests.support import hostile_archives, peak
from tests.support.hostile_archives import FEW, KINDS
from tests.support.peak import Ended

ROOT = Path(__file__).resolve().parents[3]
CATALOG = """\
release: {budget: {installed: 6 MB, download: 2 MB}}
images: {x: {budget: {installed: 6 MB, download: 2 MB}}}
"""
AGAIN = "tip: save the image again"
LOOK = "tip: ordinary images are smaller; inspect its layers"
# bytes of memory that a whole run may take
MEMORY = 500_000_000
# bytes of address space, so that a run without bounds does not take down the machine
ADDRESSES = 4 << 30


def run(folder: Path, command: str, file: Path) -> Ended:
    """Run one command on an archive, in a folder with a catalogue and no cache."""
    (folder / "images.yaml").write_text(CATALOG)
    words = [sys.executable, "-m", "scripts", command, f"archive:{file}", "--as", "x"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/base-images/lib"}
    return peak.run(folder, words, environment, ADDRESSES)


def test_a_peak_is_the_commands_alone(tmp_path: Path) -> None:
    """A long run of the suite holds more than a command may."""
    ballast = b"x" * 200_000_000
    commands = ("pass", f"b'x' * {len(ballast)}")
    small, large = (
        peak.run(tmp_path, [sys.executable, "-IS", "-c", code], os.environ, ADDRESSES)
        for code in commands
    )
    assert (small.code, small.said, large.code, large.said) == (0, [], 0, [])
    assert small.peak < 100_000_000
    assert len(ballast) <= large.peak < len(ballast) + 100_000_000


def holds(folder: Path, name: str, count: int, *commands: str) -> None:
    """Run commands on an archive of that many units."""
    kind = KINDS[name]
    file = hostile_archives.write(folder / "x.tar", kind.make(count))
    for command in commands:
        ended = run(folder, command, file)
        print(
            f"{name}: {file.stat().st_size} bytes, {command}: exit {ended.code}, "
            f"{ended.peak // 1_000_000} MB"
        )
        assert "Traceback" not in "".join(ended.said)
        assert ended.peak < MEMORY, (command, ended.said[-3:])
        if ended.code == 2:
            problem, tip = [line.replace(str(file), "x.tar") for line in ended.said][-2:]
            assert (problem, tip) in ((kind.refusal, AGAIN), (kind.refusal, LOOK))
        else:
            fits = kind.fits and command == "verify-sizes"
            assert ended.code == (0 if fits else 1), ended.said[-3:]
            # sizes need no folders
            assert not kind.refusal or command == "verify-sizes", ended.said[-3:]


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.quick])
def test_memory_stays_bounded(name: str, tmp_path: Path) -> None:
    holds(tmp_path, name, KINDS[name].quick, "verify-contents")


@pytest.mark.long
@pytest.mark.parametrize("name", KINDS)
def test_memory_stays_bounded_for_all_of_it(name: str, tmp_path: Path) -> None:
    holds(tmp_path, name, KINDS[name].count, "verify-sizes", "verify-contents")


def lines(folder: Path, name: str, count: int) -> int:
    """Return the lines of Python that reading and judging takes for so many units."""
    folder.mkdir()
    file = hostile_archives.write(folder / "x.tar", KINDS[name].make(count))
    promises = catalog.parse(Path("images.yaml"), CATALOG)
    entry_cache._RECENT.clear()

    def read() -> None:
        try:
            image = inventory.read(None, f"archive:{file}", folder / "cache")
        except SutraError:
            return
        assert image
        verify.judge(promises, promises.images[0], image)

    return steps.counted(read, 1 << 40)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.lines])
def test_a_unit_takes_the_same_work_however_many_there_are(name: str, tmp_path: Path) -> None:
    lines(tmp_path / "warm", name, 1)
    few_lines, more_lines = (lines(tmp_path / str(at), name, FEW * at) for at in (1, 3))
    lines_each = (more_lines - few_lines) // FEW // 2
    print(f"{name}: {lines_each} lines a unit")
    assert lines_each <= KINDS[name].lines
