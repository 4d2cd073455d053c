"""docs/engines.md holds what the matrix of engines found, and nothing else."""

from __future__ import annotations

import pytest

from tests.engines import table
from tests.engines.matrix import ROWS, STEPS, VERSIONS, reason


def test_the_page_shows_the_results_as_they_are() -> None:
    shown = table.MARKED.search(table.PAGE.read_text())
    assert shown
    assert shown[0] == f"<!-- engines -->\n{table.render(table.read())}<!-- /engines -->"


def test_every_result_is_of_a_row_of_the_matrix() -> None:
    assert set(table.read()) <= {row.name for row in ROWS}


def test_a_failed_step_and_a_row_that_was_not_run_are_shown() -> None:
    versions = dict.fromkeys(VERSIONS, "1.2")
    steps = {**dict.fromkeys(STEPS, "ok"), "runtime": "no memory | none"}
    results = {ROWS[0].name: {"versions": versions, "steps": steps, "at": "2026-11-25"}}
    lines = table.render(results).splitlines()
    assert len(lines) == 2 + len(ROWS)
    assert " | no memory \\| none | " in lines[2]
    assert " | not run | " in lines[3]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nbuild: broken\ntip: fix it\n", "build: broken"),
        ("Traceback\nKeyError: 'x'\n\n", "KeyError: 'x'"),
        ("", "it said nothing"),
    ],
)
def test_the_reason_of_a_failure_is_its_line_before_the_tip(text: str, line: str) -> None:
    assert reason(text) == line
