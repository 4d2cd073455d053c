"""An argument and its knob mean the same, and the argument wins."""

from __future__ import annotations

import argparse

import pytest

from scripts.common import arguments
from scripts.common.errors import SutraError


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="command")
    arguments.flag(parser, "dry-run", "show it")
    arguments.value(parser, "format", "how", ("table", "json"))
    arguments.image_reference(parser, "budgets")
    parser.set_defaults(error=parser.error)
    return parser.parse_args(words)


def test_an_argument_wins_over_its_knob() -> None:
    environment = {"FORMAT": "table", "OTHER": "x"}
    knobs = arguments.knobs(parsed("--format", "json"), environment)
    assert knobs == {"FORMAT": "json", "OTHER": "x"}


@pytest.mark.parametrize(
    ("words", "text", "is_set"),
    [((), "", False), ((), "1", True), ((), "0", False), (("--dry-run",), "0", True)],
)
def test_a_flag_is_set_by_either(
    words: tuple[str, ...], text: str, is_set: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRY_RUN", text)
    assert arguments.is_set(parsed(*words), "DRY_RUN") is is_set


def test_a_format_that_a_command_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORMAT", "xml")
    with pytest.raises(SutraError) as caught:
        arguments.output_format(parsed(), ("table", "json"))
    assert (caught.value.message, caught.value.tip) == (
        'FORMAT: unknown "xml"',
        "choose one of table, json",
    )


@pytest.mark.parametrize("words", [("x:y",), ("--as", "x")])
def test_a_reference_and_a_name_go_together(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        arguments.require_pair(parsed(*words))
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith("error: a reference and --as NAME go together\n")


def test_a_pair_or_neither_is_right() -> None:
    arguments.require_pair(parsed())
    arguments.require_pair(parsed("x:y", "--as", "x"))
