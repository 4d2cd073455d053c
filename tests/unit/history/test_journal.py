from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.common.errors import SutraError
from scripts.engine.move import Move
from scripts.history import journal
from scripts.history.journal import Intent
from tests.unit.history.test_ledger import entry

PATH = Path(".build/promotion.json")
INTENT = Intent(
    entry(1),
    (Move("api:latest", None, "sha256:a"), Move("api:1", "sha256:b", "sha256:a")),
    (Move("localhost:5000/api:latest", None, "sha256:a"),),
    ("localhost:5000/api:kept-a",),
)


@pytest.fixture(autouse=True)
def _folder(folder: Path) -> None:
    """Each test has an empty folder."""


def test_an_intent_is_read_as_it_was_written_until_it_is_cleared() -> None:
    assert journal.read() is None
    journal.write(INTENT)
    assert journal.read() == INTENT
    journal.clear()
    assert journal.read() is None
    assert list(PATH.parent.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "[]",
        "{}",
        '{"entry": {"number": 1}, "moves": [], "remote": [], "scratch": []}',
        json.dumps({"entry": None}),
        "[" * 100_000,
        "\xff",
    ],
    ids=range(8),
)
def test_foreign_text(text: str) -> None:
    PATH.parent.mkdir()
    PATH.write_text(text, encoding="latin-1")
    assert said() == (
        ".build/promotion.json: not what a promotion writes",
        "check the tags, remove .build/promotion.json, then run the same command again",
    )


@pytest.mark.parametrize("wrong", [5, None, "api", ":latest", "-a:b", "api:a b"])
def test_an_invalid_tag(wrong: object) -> None:
    journal.write(INTENT)
    value = json.loads(PATH.read_text())
    value["moves"][0]["tag"] = wrong
    PATH.write_text(json.dumps(value))
    assert said()[0] == ".build/promotion.json: not what a promotion writes"


def said() -> tuple[str, str]:
    with pytest.raises(SutraError) as caught:
        journal.read()
    return caught.value.message, caught.value.tip


def test_a_build_that_is_not_a_folder() -> None:
    PATH.parent.write_text("")
    acts: list[Callable[[], object]] = [
        lambda: journal.write(INTENT),
        lambda: journal.locked().__enter__(),
    ]
    for act in acts:
        with pytest.raises(SutraError) as caught:
            act()
        assert caught.value.message in (
            ".build/promotion.json: cannot be written: File exists, nothing was moved",
            ".build/lock: cannot be written: File exists, nothing was moved",
        )
        assert caught.value.tip == "`df -h .build` and `ls -ld .build` say more"


def test_an_intent_that_cannot_be_written_leaves_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal.write(INTENT)

    def refuse(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(SutraError) as caught:
        journal.write(Intent(entry(2), ()))
    assert caught.value.message == (
        ".build/promotion.json: cannot be written: No space left on device, nothing was moved"
    )
    assert journal.read() == INTENT
    assert [path.name for path in PATH.parent.iterdir()] == ["promotion.json"]


def test_a_second_run_waits_for_the_tags_of_the_first(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".build").mkdir()
    with Path(".build/lock").open("w") as other:
        other.write("123")
        other.flush()
        fcntl.flock(other, fcntl.LOCK_EX)
        monkeypatch.setattr("time.sleep", lambda seconds: fcntl.flock(other, fcntl.LOCK_UN))
        with journal.locked():
            assert Path(".build/lock").read_text().strip() == str(os.getpid())
    assert capfd.readouterr().err == "waiting for process 123, which moves tags\n"


def test_a_reader_learns_what_is_unfinished(capfd: pytest.CaptureFixture[str]) -> None:
    journal.warn_pending()
    assert capfd.readouterr() == ("", "")
    journal.write(INTENT)
    journal.warn_pending()
    assert capfd.readouterr() == (
        "",
        ".build/promotion.json: promote 1 (2026-01-02T03:04:05Z, me@here) is unfinished; "
        "the next `make promote` or `make rollback` settles what is unfinished\n",
    )
    assert journal.read() == INTENT
