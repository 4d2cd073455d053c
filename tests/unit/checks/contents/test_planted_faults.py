"""Faults of every kind are caught, whatever they are called and wherever they are."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.checks.contents import verify as verify_contents
from scripts.checks.contents.rule import Subject
from scripts.checks.contents.rules import RULES
from scripts.image import inventory
from scripts.report.readme_tables import marked_block
from tests.conftest import ROOT
from tests.support.fixture_images import Made, program
from tests.support.good_image import NAME, good
from tests.support.planted_faults import HARMLESS, PLANTED, Plant

PROMISES = Catalog(Path("images.yaml"), (Image(NAME, Budget(1, 1)),), Budget(1, 1))
# number of plants of each kind: lowering one withdraws a promise
PROMISED = {
    "programs under another name": 47,
    "programs, packages and distributions by name": 119,
    "installers in archives": 33,
    "what building leaves": 62,
    "rights and versions": 25,
    "scripts": 38,
    "commands": 37,
}


def findings(image: Made, folder: Path) -> dict[str, set[str]]:
    """Return the paths that each rule finds in an image, of rules that find any."""
    path = image.save(folder / "image.tar")
    read = inventory.read(None, f"archive:{path}", folder / "cache")
    assert read
    subject = Subject(NAME, read, frozenset(), frozenset())
    paths_of = {rule.name: {finding.path for finding in rule.check(subject)} for rule in RULES}
    results = verify_contents.judge(PROMISES, PROMISES.images[0], read)
    failed = {result.name.partition(".")[2] for result in results if not result.ok}
    assert failed == {name for name, paths in paths_of.items() if paths}
    return {name: paths for name, paths in paths_of.items() if paths}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: f"{plant.kind}: {plant.name}")
def test_a_planted_fault_is_caught_by_its_rule(plant: Plant, tmp_path: Path) -> None:
    assert plant.finding in findings(plant.image, tmp_path).get(plant.rule, set())


@pytest.mark.parametrize("name", HARMLESS)
def test_an_image_that_almost_has_a_fault_passes(name: str, tmp_path: Path) -> None:
    assert findings(HARMLESS[name], tmp_path) == {}


def test_every_promised_kind_is_planted(capsys: pytest.CaptureFixture[str]) -> None:
    planted = Counter(plant.kind for plant in PLANTED)
    with capsys.disabled():
        print(f"\nplanted faults, each asserted above: {planted.total()}")
        for kind, count in planted.items():
            print(f"  {count:4} {kind}")
    assert dict(planted) == PROMISED
    names = [(plant.kind, plant.name) for plant in PLANTED]
    assert len(set(names)) == len(names)


def test_the_document_has_the_counts() -> None:
    block = marked_block("planted").search((ROOT / "docs/verification.md").read_text())
    assert block
    rows = [row.strip("| ").split(" | ") for row in block[0].splitlines() if row.startswith("| ")]
    assert {row[0]: (int(row[1]), int(row[3])) for row in rows[1:]} == {
        kind: (count, count) for kind, count in PROMISED.items()
    }


# programs that most machines have, copied under a meaningless name
REAL = {
    "sh": "shells",
    "bash": "shells",
    "dash": "shells",
    "perl": "shells",
    "busybox": "shells",
    "gcc": "toolchain",
    "ld": "toolchain",
    "make": "toolchain",
    "strace": "toolchain",
    "gdb": "toolchain",
    "dpkg": "package-managers",
    "apt-get": "package-managers",
}


def test_real_programs_are_known_by_their_bytes(tmp_path: Path) -> None:
    places = {name: shutil.which(name) for name in REAL}
    there = {name: Path(place).resolve() for name, place in places.items() if place}
    assert "sh" in there
    image = good({f"app/{name}.dat": program(path.read_bytes()) for name, path in there.items()})
    paths_of = findings(image, tmp_path)
    wrong = [name for name in there if f"app/{name}.dat" not in paths_of.get(REAL[name], ())]
    assert wrong == []
