from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from scripts import report
from scripts.checks import CheckResult

OVER = 'images.yaml: images.sutra-hybrid.budget.download: over budget "75.0 MB", 75.0 MB allowed'
RESULTS = [
    CheckResult("sutra-api", "installed", True, 49_800_000, 50_000_000),
    CheckResult("sutra-api", "download", True, 18_400_000, 20_000_000),
    CheckResult("sutra-hybrid", "installed", True, 206_000_000, 207_000_000),
    CheckResult("sutra-hybrid", "download", False, 75_000_001, 75_000_000, OVER),
    CheckResult("release", "installed", True, 217_000_000, 229_000_000),
    CheckResult("release", "download", True, 83_000_000, 84_000_000),
]
ROWS = [
    ("sutra-api", "49.8 MB", "50.0 MB", "18.4 MB", "20.0 MB", "ok"),
    ("sutra-hybrid", "206.0 MB", "207.0 MB", "75.0 MB", "75.0 MB", "OVER"),
    ("release (shared layers once)", "217.0 MB", "229.0 MB", "83.0 MB", "84.0 MB", "ok"),
]
MARKDOWN = """\
| image | installed | budget | download | budget | ok |
|---|--:|--:|--:|--:|---|
| sutra-api | 49.8 MB | 50.0 MB | 18.4 MB | 20.0 MB | ok |
| sutra-hybrid | 206.0 MB | 207.0 MB | 75.0 MB | 75.0 MB | OVER |
| release (shared layers once) | 217.0 MB | 229.0 MB | 83.0 MB | 84.0 MB | ok |"""
TABLE = """\
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━┳━━━━━━━━━━┳━━━━━━━━━┳━━━━━━┓
┃ image                        ┃ installed ┃   budget ┃ download ┃  budget ┃ ok   ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━╇━━━━━━━━━━╇━━━━━━━━━╇━━━━━━┩
│ sutra-api                    │   49.8 MB │  50.0 MB │  18.4 MB │ 20.0 MB │ ok   │
│ sutra-hybrid                 │  206.0 MB │ 207.0 MB │  75.0 MB │ 75.0 MB │ OVER │
├──────────────────────────────┼───────────┼──────────┼──────────┼─────────┼──────┤
│ release (shared layers once) │  217.0 MB │ 229.0 MB │  83.0 MB │ 84.0 MB │ ok   │
└──────────────────────────────┴───────────┴──────────┴──────────┴─────────┴──────┘
"""


def test_a_row_an_image() -> None:
    assert report.rows(RESULTS) == ROWS


@pytest.mark.parametrize(
    ("installed", "download", "shown"),
    [(True, True, "ok"), (False, True, "OVER"), (True, False, "OVER"), (False, False, "OVER")],
)
def test_a_row_is_ok_when_both_sizes_are(installed: bool, download: bool, shown: str) -> None:
    results = [
        CheckResult("a", "download", download, 1, 1),
        CheckResult("a", "installed", installed, 1, 1),
    ]
    assert report.rows(results) == [("a", "0.0 MB", "0.0 MB", "0.0 MB", "0.0 MB", shown)]


def test_no_results_are_no_rows() -> None:
    assert report.rows([]) == []


def test_markdown_is_a_table() -> None:
    assert report.markdown(ROWS) == MARKDOWN


def test_the_table_sets_the_release_apart() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(report.table(ROWS))
    assert console.export_text() == TABLE


def test_what_is_over_is_red() -> None:
    drawn = report.table(ROWS)
    assert [row.style for row in drawn.rows] == [None, "red", None]


def test_the_table_is_shown_and_failures_go_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    report.show(RESULTS)
    assert capfd.readouterr() == (TABLE, OVER + "\n")


def test_markdown_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    report.show(RESULTS, "markdown")
    assert capfd.readouterr() == (MARKDOWN + "\n", OVER + "\n")


def test_json_holds_every_check(capfd: pytest.CaptureFixture[str]) -> None:
    report.show(RESULTS[2:4], "json")
    shown, errors = capfd.readouterr()
    assert json.loads(shown) == [
        {
            "image": "sutra-hybrid",
            "name": "installed",
            "ok": True,
            "actual": 206_000_000,
            "limit": 207_000_000,
            "detail": "",
            "unit": "bytes",
        },
        {
            "image": "sutra-hybrid",
            "name": "download",
            "ok": False,
            "actual": 75_000_001,
            "limit": 75_000_000,
            "detail": OVER,
            "unit": "bytes",
        },
    ]
    assert errors == OVER + "\n"


def test_json_of_nothing_is_an_empty_list(capfd: pytest.CaptureFixture[str]) -> None:
    report.show([], "json")
    assert capfd.readouterr() == ("[]\n", "")


def test_the_formats_are_those_of_make() -> None:
    assert report.FORMATS == ("table", "markdown", "json")


COUNTED = [
    CheckResult("a", "contents.shells", True, 0, 0, unit="findings"),
    CheckResult("a", "contents.docs", True, 0, 0, "kept because", "findings"),
    CheckResult("b", "contents.shells", False, 3, 0, "three shells", "findings"),
]


def test_checks_that_count_are_a_row_an_image() -> None:
    assert report.counted(COUNTED) == [("a", "2", "1", "0", "ok"), ("b", "1", "0", "1", "FAILED")]


def test_checks_that_count_stand_in_a_table_of_their_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report.show(COUNTED, "markdown")
    out, err = capsys.readouterr()
    assert out == (
        "| image | checks | waived | failed | ok |\n"
        "|---|--:|--:|--:|---|\n"
        "| a | 2 | 1 | 0 | ok |\n"
        "| b | 1 | 0 | 1 | FAILED |\n"
    )
    assert err == "kept because\nthree shells\n"
