"""Test what `make fuzz` prints of a run, from libFuzzer's own output."""

from __future__ import annotations

import pytest

from tests.fuzz import __main__ as fuzz

DONE = """\
#2\tINITED cov: 101 ft: 120 corp: 3/20b exec/s: 0 rss: 60Mb
#900\tNEW    cov: 140 ft: 190 corp: 17/2Kb lim: 20 exec/s: 450 rss: 61Mb L: 9/9 MS: 1 CopyPart-
#1234\tDONE   cov: 141 ft: 191 corp: 18/2Kb lim: 20 exec/s: 617 rss: 61Mb
Done 1234 runs in 2 second(s)
stat::number_of_executed_units: 1234
"""
FOUND = """\
#900\tNEW    cov: 140 ft: 190 corp: 17/2Kb lim: 20 exec/s: 450 rss: 61Mb L: 9/9 MS: 1 CopyPart-
artifact_prefix='x/'; Test unit written to x/crash-0123
stat::number_of_executed_units: 911
"""


def test_a_run_that_found_nothing() -> None:
    run = fuzz.read("tar", 0, 2, DONE)
    assert run.row() == ("tar", "1234", "2", "617", "141", "18", "none")


def test_a_run_that_found_an_input() -> None:
    run = fuzz.read("tar", 77, 3, FOUND)
    assert run.row() == ("tar", "911", "3", "303", "140", "17", "x/crash-0123")


def test_a_run_that_ended_without_a_word() -> None:
    assert fuzz.read("tar", 1, 0, "ModuleNotFoundError").find == "exit 1"


def test_a_run_that_executed_nothing_is_a_find() -> None:
    assert fuzz.read("tar", 0, 2, "").find == "nothing ran"


def test_the_table() -> None:
    run = fuzz.read("tar", 0, 2, DONE)
    assert fuzz.table([run]) == (
        "target  executions  seconds  a second  coverage  corpus  finds\n"
        "tar     1234        2        617       141       18      none"
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("TARGET", "tars", 'TARGET: no such target "tars"\ntip: one of: tar, layer, '),
        ("SECONDS", "1m", 'SECONDS: not a number of seconds "1m"\ntip: SECONDS=60 make fuzz'),
        ("SECONDS", "0", 'SECONDS: not a number of seconds "0"\ntip: SECONDS=60 make fuzz'),
    ],
)
def test_a_wrong_knob(
    name: str,
    value: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(name, value)
    assert fuzz.main() == 2
    assert capsys.readouterr().err.startswith(message)
