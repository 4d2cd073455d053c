from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.errors import SutraError
from scripts.history import ledger
from scripts.history.ledger import Entry, Promoted

PATH = Path(".build/history.jsonl")
AGAIN = (
    "remove that line from .build/history.jsonl, or move the file away, "
    "then run the same command again"
)


def identity(letter: str) -> str:
    return "sha256:" + letter * 64


def entry(number: int, letter: str = "a", **but: Any) -> Entry:
    """Return the promotion `number` of one image."""
    basic = Entry(
        number=number,
        at="2026-01-02T03:04:05Z",
        who="me@here",
        verb="promote",
        version="",
        commit="c" * 40,
        registry="",
        verdict="6 checks passed",
        of=number,
        previous=number - 1,
        tags={"latest": number},
        images={"api": Promoted(identity(letter), "", "c" * 40, 3, 2)},
    )
    return replace(basic, **but)


@pytest.fixture(autouse=True)
def _build(folder: Path) -> None:
    (folder / ".build").mkdir()


def test_entries_are_read_as_they_were_written() -> None:
    written = [entry(1), entry(2, "b", version="1.4.2", registry="localhost:5000/me")]
    for promotion in written:
        ledger.append(promotion)
    assert ledger.read() == written
    assert PATH.read_bytes() == b"".join(promotion.line() for promotion in written)


def test_no_ledger_has_no_entries() -> None:
    assert ledger.read() == []


def said() -> tuple[str, str]:
    with pytest.raises(SutraError) as caught:
        ledger.read()
    return caught.value.message, caught.value.tip


@pytest.mark.parametrize("cut", [1, 20, 300])
def test_a_torn_last_line(cut: int) -> None:
    ledger.append(entry(1))
    with PATH.open("ab") as file:
        file.write(entry(2).line()[:cut])
    shown = entry(2).line()[: min(cut, 40)].decode() + ("…" if cut > 40 else "")
    assert said() == (
        f'.build/history.jsonl: line 2: torn "{shown}"',
        "`sed -i '2d' .build/history.jsonl` removes it; then run the same command again",
    )


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"hello\n", "hello"),
        (b"\n", ""),
        (b"{}\n", "{}"),
        (b"[1]\n", "[1]"),
        (b"null\n", "null"),
        (b"\xff\xfe\x1b[31m\n", "\ufffd\ufffd\ufffd[31m"),
        (b"[" * 100_000 + b"\n", "[" * 40 + "…"),
        (entry(7).line(), entry(7).line()[:40].decode() + "…"),
    ],
)
def test_foreign_text(line: bytes, shown: str) -> None:
    ledger.append(entry(1))
    with PATH.open("ab") as file:
        file.write(line)
    assert said() == (f'.build/history.jsonl: line 2: not an entry "{shown}"', AGAIN)


@pytest.mark.parametrize(
    "but",
    [
        {"at": "yesterday"},
        {"who": "two\nlines"},
        {"who": 5},
        {"of": 2},
        {"of": 0},
        {"of": "1"},
        {"previous": 1},
        {"previous": -1},
        {"tags": {"latest": 2}},
        {"tags": {"a/b": 1}},
        {"tags": {"-a": 1}},
        {"tags": ["latest"]},
        {"images": {}},
        {"images": {"../api": Promoted(identity("a"), "", "", 1, 1)}},
        {"images": {"api": Promoted("latest", "", "", 1, 1)}},
        {"images": {"api": Promoted(identity("a"), "sha256:1", "", 1, 1)}},
        {"images": {"api": Promoted(identity("a"), "", "", -1, 1)}},
        {"images": {"api": Promoted(identity("a"), "", "", 1, "1")}},  # type: ignore[arg-type] # the fault
    ],
    ids=repr,
)
def test_an_entry_with_a_value_that_promotion_does_not_write(but: dict[str, Any]) -> None:
    line = entry(1, **but).line()
    PATH.write_bytes(line)
    assert said() == (f'.build/history.jsonl: line 1: not an entry "{line[:40].decode()}…"', AGAIN)


@given(st.binary(max_size=200))
def test_any_bytes_are_entries_or_one_line(data: bytes) -> None:
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_bytes(data)
    try:
        one_line = ledger.read() == [] == list(data)
    except SutraError as error:
        one_line = error.message.isprintable()
    assert one_line


def test_a_ledger_that_cannot_be_read() -> None:
    PATH.mkdir()
    assert said() == (
        ".build/history.jsonl: cannot be read: Is a directory",
        "`ls -l .build/history.jsonl`",
    )


def test_a_ledger_that_cannot_be_written() -> None:
    PATH.mkdir()
    with pytest.raises(SutraError) as caught:
        ledger.append(entry(1))
    assert caught.value.message == (
        ".build/history.jsonl: cannot be written: Is a directory, nothing was moved"
    )
    assert caught.value.tip == "`df -h .build` and `ls -ld .build` say more"


def test_an_append_that_the_disk_refuses_leaves_the_file_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger.append(entry(1))

    def refuse(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(SutraError) as caught:
        ledger.append(entry(2))
    assert caught.value.message == (
        ".build/history.jsonl: cannot be written: No space left on device, nothing was moved"
    )
    assert PATH.read_bytes() == entry(1).line()


@pytest.mark.parametrize("cut", range(0, len(entry(2).line()), 37))
def test_only_its_own_torn_line_is_repaired(cut: int) -> None:
    ledger.append(entry(1))
    with PATH.open("ab") as file:
        file.write(entry(2).line()[:cut])
    ledger.repair(entry(2))
    assert PATH.read_bytes() == entry(1).line()
    assert not ledger.holds(entry(2))


def test_a_whole_line_and_a_torn_one_of_another_stay() -> None:
    ledger.append(entry(1))
    ledger.repair(entry(1))
    assert ledger.holds(entry(1))
    with PATH.open("ab") as file:
        file.write(b"somebody else")
    before = PATH.read_bytes()
    ledger.repair(entry(2))
    assert PATH.read_bytes() == before


def test_what_is_kept_is_of_the_last_promotions_each_group_once_and_of_every_tag() -> None:
    entries = [
        entry(1, "a", tags={"latest": 1, "1.3": 1}),
        entry(2, "b"),
        entry(3, "c"),
        entry(4, "c"),
        entry(5, "d"),
    ]
    assert ledger.kept(entries, 1) == {"api": {identity(letter) for letter in "da"}}
    assert ledger.kept(entries, 2) == {"api": {identity(letter) for letter in "dca"}}
    assert ledger.kept(entries, 9) == {"api": {identity(letter) for letter in "dcba"}}
    back = entry(6, "b", verb="rollback", of=2, tags={"latest": 2})
    assert ledger.kept([*entries, back], 1) == {"api": {identity(letter) for letter in "dba"}}
    assert ledger.kept([], 5) == {}


def test_the_form_of_a_line_is_json() -> None:
    assert json.loads(entry(1).line())["images"]["api"] == {
        "id": identity("a"),
        "digest": "",
        "revision": "c" * 40,
        "installed": 3,
        "download": 2,
    }


def test_an_image_of_another_platform_is_one_of_its_own() -> None:
    image = Promoted(identity("a"), "", "c" * 40, 3, 2)
    promoted = entry(1, images={"api": image, "arm64/api": image})
    ledger.append(promoted)
    assert ledger.read() == [promoted]


@pytest.mark.parametrize("name", ["arm/api", "team/api", "arm64/a/b", "arm64/", "arm64"])
def test_what_no_platform_is_called_is_no_image(name: str) -> None:
    image = Promoted(identity("a"), "", "c" * 40, 3, 2)
    line = entry(1, images={name: image}).line()
    if name == "arm64":
        assert ledger.parse(line, 1).ids == {name: image.id}
        return
    with pytest.raises(ValueError, match="not as promotion writes it"):
        ledger.parse(line, 1)
