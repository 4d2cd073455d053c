"""Test how much memory an image's entries count for."""

from __future__ import annotations

import tarfile

import pytest

from scripts.image import held
from scripts.image.elf import Elf
from scripts.image.entry import Entry
from scripts.image.held import Held

LIBRARY = Elf(
    "x86_64",
    "DYN",
    "12",
    ("345", "6"),
    "78",
    ("9",),
    ("0",),
    wants=(("ab", ("c", "d")),),
    versions=("ef",),
    modules=(("go", "1"),),
    crates=(("gh", "ij"),),
)


def entry(path: str, link: str = "", elf: Elf | None = None) -> Entry:
    return Entry(path, "file", 1, 0o644, 0, 0, 0, link, elf=elf, secrets=("key",), script="sh")


def test_entries_texts_lines_and_names_are_counted() -> None:
    counted = Held()
    counted.add(entry("abc", "de"), "one\ntwo\r\n")
    assert (counted.entries, counted.texts, counted.lines, counted.names) == (1, 9, 3, 10)
    counted.add(entry("a", elf=LIBRARY), None)
    assert (counted.entries, counted.texts, counted.names) == (2, 9, 10 + 6 + 16 + 7)
    assert counted.too_much() == ""


def test_a_sink_ends_with_the_entry_that_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "MAX_ENTRIES", 2)
    taken: list[str] = []
    sink = Held().before(lambda entry, _: taken.append(entry.path))
    sink(entry("a"), None)
    sink(entry("b"), None)
    with pytest.raises(tarfile.ReadError, match=r"^more than 2 entries in all layers$"):
        sink(entry("c"), None)
    assert taken == ["a", "b"]
