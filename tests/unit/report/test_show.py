from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from scripts.common.check_result import CheckResult
from scripts.report import show, tables
from tests.support.results import placed

OVER = 'images.yaml: images.sutra-hybrid.budget.download: over budget "75.0 MB", 75.0 MB allowed'
RESULTS = [
    CheckResult("sutra-api", "installed", True, 49_800_000, 50_000_000),
    CheckResult("sutra-api", "download", True, 18_400_000, 20_000_000),
    CheckResult("sutra-hybrid", "installed", True, 206_000_000, 207_000_000),
    placed(CheckResult("sutra-hybrid", "download", False, 75_000_001, 75_000_000, OVER)),
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
    assert tables.sizes(RESULTS) == ROWS


def test_the_release_of_each_platform_is_set_apart() -> None:
    other = [replace(result, image=f"arm64/{result.image}") for result in RESULTS[-2:]]
    rows = tables.sizes([*RESULTS, *other])
    assert rows == [*ROWS, (f"arm64/{ROWS[-1][0]}", *ROWS[-1][1:])]
    drawn = io.StringIO()
    Console(file=drawn, width=120).print(tables.table(tables.SIZE_HEADINGS, rows))
    assert drawn.getvalue().count("├") == 2


@pytest.mark.parametrize(
    ("installed", "download", "shown"),
    [(True, True, "ok"), (False, True, "OVER"), (True, False, "OVER"), (False, False, "OVER")],
)
def test_a_row_is_ok_when_both_sizes_are(installed: bool, download: bool, shown: str) -> None:
    results = [
        CheckResult("a", "download", download, 1, 1),
        CheckResult("a", "installed", installed, 1, 1),
    ]
    assert tables.sizes(results) == [("a", "0.0 MB", "0.0 MB", "0.0 MB", "0.0 MB", shown)]


def test_without_results_there_are_no_rows() -> None:
    assert tables.sizes([]) == []


def test_markdown_is_a_table() -> None:
    assert tables.markdown(tables.SIZE_HEADINGS, ROWS) == MARKDOWN


def test_a_name_ends_no_cell_of_markdown() -> None:
    assert tables.markdown(("image", "size"), [("a|b", "1")]).splitlines()[2] == r"| a\|b | 1 |"


def test_the_table_sets_the_release_apart() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(tables.table(tables.SIZE_HEADINGS, ROWS))
    assert console.export_text() == TABLE


def test_what_is_over_is_red() -> None:
    drawn = tables.table(tables.SIZE_HEADINGS, ROWS)
    assert [row.style for row in drawn.rows] == [None, "red", None]


def test_the_table_is_shown_and_failures_go_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    show.show(RESULTS)
    assert capfd.readouterr() == (TABLE, OVER + "\n")


def test_markdown_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    show.show(RESULTS, "markdown")
    assert capfd.readouterr() == (MARKDOWN + "\n", OVER + "\n")


def test_json_holds_every_check(capfd: pytest.CaptureFixture[str]) -> None:
    show.show(RESULTS[2:4], "json")
    shown, errors = capfd.readouterr()
    assert json.loads(shown) == [
        {
            "image": "sutra-hybrid",
            "name": "installed",
            "ok": True,
            "actual": 206_000_000,
            "limit": 207_000_000,
            "detail": "",
            "file": "",
            "key": "",
            "problem": "",
            "unit": "bytes",
            "findings": [],
        },
        {
            "image": "sutra-hybrid",
            "name": "download",
            "ok": False,
            "actual": 75_000_001,
            "limit": 75_000_000,
            "detail": OVER,
            "file": "images.yaml",
            "key": "images.sutra-hybrid.budget.download",
            "problem": 'over budget "75.0 MB", 75.0 MB allowed',
            "unit": "bytes",
            "findings": [],
        },
    ]
    assert errors == OVER + "\n"


def test_json_of_nothing_is_an_empty_list(capfd: pytest.CaptureFixture[str]) -> None:
    show.show([], "json")
    assert capfd.readouterr() == ("[]\n", "")


LATE = "images.yaml: images.sutra-api: late"
RUNTIME = [
    CheckResult("sutra-api", "modules", True, 0, 0, "", "findings"),
    placed(CheckResult("sutra-api", "ready", False, 5001, 5000, LATE, "ms")),
    CheckResult("sutra-api", "memory", True, 40_000_000, None),
]
WAIVED = "images.yaml: images.sutra-api.contents.tests: 1 allowed: scipy imports it"
FOUND = 'images.yaml: images.sutra-api.contents.shells: forbidden file "bin/sh"'
CONTENTS = [
    placed(CheckResult("sutra-api", "contents.tests", True, 0, 0, WAIVED, "findings")),
    placed(CheckResult("sutra-api", "contents.shells", False, 1, 0, FOUND, "findings")),
]
RUNTIME_ROWS = [
    ("sutra-api", "ready", "5.00 s", "5.00 s", "FAILED"),
    ("sutra-api", "memory", "40.0 MB", "–", "ok"),
    ("sutra-api", "1 without findings", "0", "0", "ok"),
]
RUNTIME_TABLE = """\
┏━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━┳━━━━━━━━┓
┃ image     ┃ check              ┃  actual ┃  limit ┃ ok     ┃
┡━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━╇━━━━━━━━┩
│ sutra-api │ ready              │  5.00 s │ 5.00 s │ FAILED │
│ sutra-api │ memory             │ 40.0 MB │      – │ ok     │
│ sutra-api │ 1 without findings │       0 │      0 │ ok     │
└───────────┴────────────────────┴─────────┴────────┴────────┘
"""


def test_what_was_measured_has_a_row_of_its_own() -> None:
    assert tables.checks([*RESULTS, *RUNTIME]) == RUNTIME_ROWS


def test_what_failed_has_a_row_of_its_own_and_exceptions_are_counted() -> None:
    nothing_wasted = CheckResult("sutra-api", "contents.wasted", True, 0, 0)
    assert tables.checks([*CONTENTS, nothing_wasted]) == [
        ("sutra-api", "contents.shells", "1", "0", "FAILED"),
        ("sutra-api", "2 without findings, 1 with exceptions", "0", "0", "ok"),
    ]


def test_a_reason_is_reported_though_its_check_passed(capfd: pytest.CaptureFixture[str]) -> None:
    show.show(CONTENTS, "json")
    assert capfd.readouterr().err == f"{WAIVED}\n{FOUND}\n"


MANY = placed(
    CheckResult(
        "sutra-api",
        "contents.shells",
        False,
        2,
        0,
        FOUND + " (+1 more)",
        "findings",
        ('forbidden file "bin/sh"', 'forbidden file "bin/b\nash"'),
    )
)


def test_json_holds_every_finding(capfd: pytest.CaptureFixture[str]) -> None:
    show.show([MANY], "json")
    shown, errors = capfd.readouterr()
    assert json.loads(shown)[0]["findings"] == [
        'forbidden file "bin/sh"',
        'forbidden file "bin/b\N{REPLACEMENT CHARACTER}ash"',
    ]
    assert errors == f"{FOUND} (+1 more)\n"


@pytest.mark.parametrize("form", show.FORMATS)
def test_everything_is_a_line_a_finding(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    show.show([CONTENTS[0], MANY], form, everything=True)
    assert capfd.readouterr().err == (
        f"{WAIVED}\n{FOUND}\n"
        "images.yaml: images.sutra-api.contents.shells: "
        'forbidden file "bin/b\N{REPLACEMENT CHARACTER}ash"\n'
    )


def test_a_size_that_was_not_asked_for_is_blank() -> None:
    assert tables.sizes(RESULTS[3:4]) == [("sutra-hybrid", "", "", "75.0 MB", "75.0 MB", "OVER")]


def test_sizes_come_before_the_other_checks(capfd: pytest.CaptureFixture[str]) -> None:
    show.show([*RUNTIME, *RESULTS])
    shown, errors = capfd.readouterr()
    assert shown == TABLE + RUNTIME_TABLE
    assert errors == f"{LATE}\n{OVER}\n"


def test_without_sizes_there_is_no_table_of_sizes(capfd: pytest.CaptureFixture[str]) -> None:
    show.show(RUNTIME[:1], "markdown")
    assert capfd.readouterr().out == (
        "| image | check | actual | limit | ok |\n"
        "|---|---|--:|--:|---|\n"
        "| sutra-api | 1 without findings | 0 | 0 | ok |\n"
    )


@pytest.mark.parametrize("form", show.FORMATS)
def test_results_may_be_empty(
    form: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    show.show([], form)
    assert capfd.readouterr().err == ""


def test_a_detail_is_one_line_whatever_it_names(capfd: pytest.CaptureFixture[str]) -> None:
    hostile = 'images.yaml: images.a: forbidden file "a\n::error::x\x1b[31m\u2028"'
    show.show([CheckResult("a", "shells", False, 1, 0, hostile, "findings")], "markdown")
    assert capfd.readouterr().err == (
        'images.yaml: images.a: forbidden file "a\ufffd::error::x\ufffd[31m\ufffd"\n'
    )


def test_the_formats_are_those_of_make() -> None:
    assert show.FORMATS == ("table", "markdown", "json", "junit", "github")


def test_what_was_not_measured_has_a_row_that_says_so() -> None:
    result = CheckResult("api", "memory", True, None, 1_000_000, "not measured: no metrics")
    assert tables.checks([result]) == [("api", "memory", "not measured", "1.0 MB", "ok")]
    assert json.loads(show.as_text([result], "json"))[0]["actual"] is None
