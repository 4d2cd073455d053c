"""Test licences of owners, and their summary."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.image import inventory
from scripts.image.inventory import Inventory
from scripts.report.html import breakdown, licences
from scripts.sbom import components
from scripts.sbom.components import Bill, Component
from tests.support import reports
from tests.support.good_image import SITE, good

METADATA = f"{SITE}/one-1.0.dist-info/METADATA"

FREE_TEXT = "copyright file of free text"


def read(folder: Path, metadata: str) -> Inventory:
    files = {METADATA: f"Name: one\nVersion: 1.0\n{metadata}"}
    image = inventory.read(None, f"archive:{good(files).save(folder / 'x.tar')}", folder / "c")
    assert image
    return image


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ("License-Expression: mit OR apache-2.0\n", "MIT OR Apache-2.0"),
        ("License: <b>as it is</b>\n", "<b>as it is</b>"),
        ("", ""),
    ],
)
def test_an_owner_has_the_licence_of_its_record(
    tmp_path: Path, metadata: str, licence: str
) -> None:
    image = read(tmp_path, metadata)
    bill = components.of(image)
    parts = breakdown.by_owner(image, licences.by_owner(image, bill))
    assert {part.name: part.licence for part in parts} == {
        "sutra-good": "not recorded: no record",
        "libc6": f"not recorded: {FREE_TEXT}",
        "one": licence or "not recorded: METADATA names none",
        "other": "",
    }
    expected = f"Licences recorded (1 of 3 components): {licence} (1)."
    none = "No licence recorded (3 components)."
    unnamed = [] if licence else ["METADATA names none (1)"]
    missing = [f"{FREE_TEXT} (1)", *unnamed, "no record (1)"]
    reasons = f"Not recorded: {', '.join(sorted(missing))}."
    assert licences.summary(bill) == f"{expected if licence else none} {reasons}"


def bill(*names: str, parts: tuple[Component, ...] = ()) -> Bill:
    named = tuple(Component("pypi", "a", "1", f"pkg:{n}", name) for n, name in enumerate(names))
    linked = Component("generic", "b", "1", "pkg:b", "", parts=parts)
    return Bill(reports.inventory({}), (*named, linked), ())


def test_the_most_frequent_licence_is_first() -> None:
    part = Component("cargo", "c", "1", "pkg:c", "MIT")
    assert licences.summary(bill("Apache-2.0", "MIT", "BSD-3-Clause", parts=(part,))) == (
        "Licences recorded (4 of 5 components): MIT (2), Apache-2.0 (1), BSD-3-Clause (1). "
        "Not recorded: no record (1)."
    )


def test_an_image_of_nothing_has_no_licence() -> None:
    empty = Bill(reports.inventory({}), (), ())
    assert licences.summary(empty) == "No licence recorded (0 components)."


@pytest.mark.parametrize(("more", "rest"), [(0, ""), (1, ", 1 more"), (2, ", 2 more")])
def test_licences_past_the_most_are_counted(more: int, rest: str) -> None:
    sentence = licences.summary(bill(*(f"L-{n:02}" for n in range(licences.LARGEST + more))))
    end = f"L-{licences.LARGEST - 1:02} (1){rest}. Not recorded: no record (1)."
    assert sentence.endswith(end)


def test_each_name_of_a_component_counts_and_the_component_once() -> None:
    both = Component("deb", "d", "1", "pkg:d", names=("Expat", "GPL-2+"))
    sentence = licences.summary(Bill(reports.inventory({}), (both,), ()))
    assert sentence == "Licences recorded (1 of 1 components): Expat (1), GPL-2+ (1)."


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (("GPL-2+",), "GPL-2+"),
        (("a" * 59, "b" * 59), f"{'a' * 59}, {'b' * 59}"),
        (("a" * 59, "b" * 60), f"{'a' * 59} and 1 more"),
        (("a" * 121,), "a" * 121),
        (("a" * 121, "b", "c"), f"{'a' * 121} and 2 more"),
    ],
)
def test_a_cell_has_as_many_names_as_it_has_room_for(names: tuple[str, ...], line: str) -> None:
    assert licences.some(names) == line
