from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.__main__ import main as front_door
from scripts.cleaning import clean, resources, scope
from scripts.cleaning.clean import confirm, show
from scripts.cleaning.resource import Resource, Selection
from scripts.common.errors import SutraError
from scripts.engine.move import Move
from scripts.history import journal
from scripts.promotion import transaction
from tests.unit.fakes import FakeEngine, FakeImage
from tests.unit.history.test_ledger import entry

ROOT = Path(__file__).resolve().parents[3]
Start = Callable[..., list[object]]

THINGS = [
    Resource("container", "c1", "sutra-sutra-api-1", 120_000),
    Resource(
        "image", "sha256:1", "sutra-api:prod 0123456789ab", 72_200_000, "", ("sutra-api:prod",)
    ),
    Resource(
        "image", "sha256:2", "sutra-api:latest 456789abcdef", 1, "promoted: rollback needs it"
    ),
    Resource("volume", "sutra_data", "sutra_data", 5_000_000),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal())


def answers(*lines: str) -> tuple[list[str], Callable[[str], str]]:
    """Return the list that questions are written to, and what answers them."""
    questions: list[str] = []
    rest = list(lines)

    def read(question: str) -> str:
        questions.append(question)
        if not rest:
            raise EOFError
        return rest.pop(0)

    return questions, read


def test_the_list_says_what_goes_first_and_what_stays_why(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show("sutra", THINGS)
    assert capsys.readouterr().out == (
        "remove  container      0.1 MB  sutra-sutra-api-1\n"
        "remove  image         72.2 MB  sutra-api:prod 0123456789ab\n"
        "remove  volume         5.0 MB  sutra_data\n"
        "keep    image          0.0 MB  sutra-api:latest 456789abcdef"
        "  (promoted: rollback needs it)\n"
    )


def test_an_empty_list_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    show("sutra", [])
    assert capsys.readouterr().out == 'clean: nothing of project "sutra" is on this engine\n'


@pytest.mark.parametrize("word", ["y", "Y", "yes", " YES "])
def test_yes_and_the_name_confirm(terminal: None, word: str) -> None:
    questions, read = answers(word, "sutra_data")
    confirm(THINGS, False, "go?", read)
    assert questions == ["go? [y/N] ", "type sutra_data to delete that data: "]


def test_a_kept_volume_is_not_asked_for(terminal: None) -> None:
    questions, read = answers("y")
    confirm([Resource("volume", "v", "v", 0, "data: --data removes it")], False, "go?", read)
    assert questions == ["go? [y/N] "]


@pytest.mark.parametrize(
    ("words", "message", "tip"),
    [
        (("n",), "clean: not confirmed", "nothing was touched"),
        (("",), "clean: not confirmed", "nothing was touched"),
        ((), "clean: not confirmed", "nothing was touched"),
        (("y",), "clean: not confirmed", "nothing was touched"),
        (
            ("y", "sutra-data"),
            'clean: not confirmed "sutra_data"',
            "leave out --data to keep it; nothing was touched",
        ),
        (
            ("y", "y"),
            'clean: not confirmed "sutra_data"',
            "leave out --data to keep it; nothing was touched",
        ),
    ],
)
def test_anything_else_stops(
    terminal: None, words: tuple[str, ...], message: str, tip: str
) -> None:
    with pytest.raises(SutraError) as caught:
        confirm(THINGS, False, "go?", answers(*words)[1])
    assert (caught.value.message, caught.value.tip) == (message, tip)


def test_without_a_terminal_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\nsutra_data\n"))
    with pytest.raises(SutraError) as caught:
        confirm(THINGS, False, "go?")
    assert caught.value.message == "clean: confirmation needed, but stdin is not a terminal"
    assert caught.value.tip == "add --yes; nothing was touched"


def test_with_yes_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    questions, read = answers()
    confirm(THINGS, True, "go?", read)
    assert questions == []


def test_every_kind_has_a_remover() -> None:
    assert set(clean.REMOVERS) == {"container", "network", "image", "cache", "volume"}


# ---- the whole command, on an engine that only records its calls ---------------


@pytest.fixture
def start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Clean THINGS with knobs and arguments; return scopes, selections and removed resources."""

    def run(*words: str, client: object = None, **knobs: str) -> list[object]:
        done: list[object] = []

        def listed(_: object, name: str, wish: object) -> list[Resource]:
            done.append((name, wish))
            return THINGS

        for name, value in knobs.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("scripts.engine.client.connect", lambda: client)
        monkeypatch.setattr(scope, "read", lambda name: name)
        monkeypatch.setattr(resources, "of_project", listed)
        monkeypatch.setattr(clean, "remove", lambda _, things: done.append([t.id for t in things]))
        assert front_door(["clean", *words]) == 0
        return done

    return run


IDS = [thing.id for thing in THINGS]


def test_the_project_is_the_one_that_compose_deploys(start: Start, folder: Path) -> None:
    (folder / ".env").write_text("SUTRA_PROJECT=b\n")
    assert start("--yes") == [("b", Selection()), IDS]


def test_knobs_that_say_yes_are_options(start: Start) -> None:
    assert start(YES="1", DATA="yes", ALL="TRUE") == [("sutra", Selection(True, True)), IDS]


def test_knobs_that_say_no_count_as_unset(start: Start) -> None:
    assert start("--yes", DATA="0", ALL="no", DRY_RUN="false") == [("sutra", Selection()), IDS]


@pytest.mark.parametrize("knobs", [{"DRY_RUN": "1"}, {"DRY_RUN": "0"}])
def test_a_dry_run_by_knob_or_word_removes_nothing(start: Start, knobs: dict[str, str]) -> None:
    words = [] if knobs["DRY_RUN"] == "1" else ["--dry-run"]
    assert start(*words, YES="1", **knobs) == [("sutra", Selection())]


@pytest.mark.parametrize(
    ("name", "value"), [("YES", "2"), ("DATA", "/srv/data"), ("ALL", "x"), ("DRY_RUN", "y")]
)
def test_a_knob_that_says_neither_is_refused(start: Start, name: str, value: str) -> None:
    words = () if name == "YES" else ("--yes",)  # the word would win over its knob
    with pytest.raises(SutraError) as caught:
        start(*words, **{name: value})
    assert caught.value.message == f'{name}: neither yes nor no "{value}"'
    assert caught.value.tip == f"{name}=1, or leave it out"


def test_without_a_yes_somebody_is_asked(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(
        SutraError, match=r"^clean: confirmation needed, but stdin is not a terminal$"
    ):
        start(YES="0")


@pytest.mark.parametrize("target", ["clean", "budgets"])
def test_make_hands_on_values_not_words(target: str) -> None:
    """`$(if $(YES),--yes)` counts YES=0 as a yes."""
    knobs = ["YES=0", "DATA=/srv/data", "ALL=no", "DRY_RUN=0"]
    make = ["make", "--silent", "--old-file=venv", "-C", str(ROOT), target, *knobs]
    shown = "echo $$YES $$DATA $$ALL $$DRY_RUN"
    done = subprocess.run([*make, f"RUN={shown}"], capture_output=True, text=True, check=True)
    assert done.stdout == f"0 /srv/data no 0 {target}\n"


@pytest.fixture
def killed(engine: FakeEngine, folder: Path) -> FakeEngine:
    """A promotion that was killed after its tag had moved."""
    old, new = engine.add(FakeImage([b"old"])), engine.add(FakeImage([b"new"]), "sutra-api:latest")
    journal.write(journal.Intent(entry(1), (Move("sutra-api:latest", old, new),)))
    engine.tags["old"] = old
    return engine


def test_what_a_killed_promotion_left_is_settled_first(
    start: Start, killed: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start("--yes", client=killed) == [("sutra", Selection()), IDS]
    assert killed.tags["sutra-api:latest"] == killed.tags["old"]
    assert not journal.JOURNAL.exists()
    assert capsys.readouterr().err == (
        f"{journal.named(entry(1))} was interrupted, everything is as it was before it\n"
    )


def test_a_dry_run_only_says_that_a_promotion_was_killed(
    start: Start, killed: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start("--dry-run", client=killed) == [("sutra", Selection())]
    assert killed.tags["sutra-api:latest"] != killed.tags["old"]
    assert capsys.readouterr().err == (
        f"{journal.named(entry(1))} is unfinished; {journal.UNFINISHED}\n"
    )


def test_removal_holds_the_lock_and_the_question_does_not(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []

    @contextmanager
    def exclusive(_: object) -> Iterator[None]:
        held.append(True)
        yield
        held.append(False)

    monkeypatch.setattr(transaction, "exclusive", exclusive)
    monkeypatch.setattr(clean, "confirm", lambda *_: held.append(held[-1]))
    start()
    assert held == [True, False, False, True, False]
