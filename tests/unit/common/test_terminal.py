"""Test the width of tables."""

from __future__ import annotations

import pytest
from rich.text import Text

from scripts.common import terminal


def test_a_table_that_goes_into_a_pipe_has_a_fixed_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert terminal.console().width == 120
    assert terminal.console(90).width == 90


def test_a_table_on_a_terminal_is_as_wide_as_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert terminal.console().width == 40


def test_a_name_between_colons_is_no_picture(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.console().print(":smile:", Text(":x:"))
    assert capsys.readouterr().out == ":smile: :x:\n"
