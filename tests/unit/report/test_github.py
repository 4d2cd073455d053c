from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from scripts.common.text import printable
from scripts.report import github, show
from tests.support.results import placed

CATALOG = """\
# promises
release:
  budget: {installed: 1 MB, download: 1 MB}

images:
  sutra-api:
    budget:
      installed: 1 MB
      download: 1 MB
    contents:
      shells: {off: true, because: "x: y"}
  sutra.api.v2:
    budget: {installed: 1 MB}
"""
OVER = 'images.yaml: images.sutra-api.budget.download: over budget "2.0 MB", 100% of it, again'
RESULTS = [
    CheckResult("sutra-api", "installed", True, 1_000_000, 1_000_000),
    placed(CheckResult("sutra-api", "download", False, 2_000_000, 1_000_000, OVER)),
    CheckResult("sutra-api", "ready", True, 900, 5000, "", "ms"),
]
ANNOTATION = (
    "::error file=images.yaml,line=9,title=sutra-api%3A download::images.yaml: "
    'images.sutra-api.budget.download: over budget "2.0 MB", 100%25 of it, again'
)
SUMMARY = f"""\
## Sutra: 1 of 3 checks failed

~~~~text
{OVER}
~~~~

| image | installed | budget | download | budget | ok |
|---|--:|--:|--:|--:|---|
| sutra-api | 1.0 MB | 1.0 MB | 2.0 MB | 1.0 MB | OVER |

| image | check | actual | limit | ok |
|---|---|--:|--:|---|
| sutra-api | ready | 0.90 s | 5.00 s | ok |
"""


@pytest.fixture
def promises(folder: Path) -> Path:
    file = folder / "images.yaml"
    file.write_text(CATALOG)
    return file


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("release", 2),
        ("release.budget.installed", 3),
        ("images", 5),
        ("images.sutra-api", 6),
        ("images.sutra-api.budget.download", 9),
        ("images.sutra-api.budget.ready", 7),  # not in the file: the nearest above it
        ("images.sutra-api.contents.shells", 11),
        ("images.sutra-api.contents.shells.because", 11),
        ("images.sutra.api.v2.budget.installed", 13),
        ("images.other.budget", 5),
        ("nothing", 1),
        ("", 1),
    ],
)
def test_a_key_path_is_found_in_the_file(promises: Path, key: str, line: int) -> None:
    assert github.line(promises, key) == line


@pytest.mark.parametrize("text", ["a: [", "- 1\n", "", "\x00", "a: &a {b: *a}"])
def test_a_file_that_is_not_a_mapping_is_its_first_line(folder: Path, text: str) -> None:
    (folder / "images.yaml").write_text(text)
    assert github.line(folder / "images.yaml", "a.b.c") == 1


def test_a_missing_file_is_its_first_line(folder: Path) -> None:
    assert github.line(folder / "none.yaml", "a") == 1


def test_a_failed_check_annotates_the_line_of_its_promise(promises: Path) -> None:
    assert github.commands(RESULTS) == [ANNOTATION]


def test_a_detail_without_a_file_is_annotated_all_the_same(promises: Path) -> None:
    results = [
        CheckResult("a", "b", False, 1, 0, "no words: at all"),
        CheckResult("a", "c", False, 1, 0),
    ]
    assert github.commands(results) == [
        "::error title=a%3A b::no words: at all",
        "::error title=a%3A c::c failed",
    ]


@given(st.text(), st.text(), st.text(min_size=1))
def test_whatever_a_result_holds_it_is_one_command(image: str, name: str, detail: str) -> None:
    result = CheckResult(image, name, False, 1, 0, printable(detail))
    (command,) = github.commands([result])
    assert "\n" not in command
    assert "\r" not in command
    properties, _, text = command.removeprefix("::error title=").partition("::")
    assert "," not in properties
    assert text.replace("%25", "%") == result.detail


def test_the_summary_goes_to_the_job_and_annotations_are_printed(
    promises: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = promises.parent / "summary.md"
    file.write_text("# of an earlier step\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    show.show(RESULTS, "github")
    assert capfd.readouterr() == (ANNOTATION + "\n", "")
    assert file.read_text() == "# of an earlier step\n" + SUMMARY


def test_outside_of_github_all_is_printed(
    promises: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    show.show(RESULTS, "github")
    assert capfd.readouterr() == (f"{SUMMARY}\n{ANNOTATION}\n", "")


def test_when_all_passed_nothing_is_annotated(
    promises: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = promises.parent / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    show.show(RESULTS[2:], "github")
    assert capfd.readouterr() == ("", "")
    assert file.read_text().startswith("## Sutra: All 1 checks passed\n\n| image | check |")


def test_the_summary_gives_the_reasons_of_exceptions() -> None:
    reason = "images.yaml: images.a.budget.installed: because the model grew"
    assert github.summary([CheckResult("a", "ready", True, 1, 2, reason, "ms")]).endswith(
        f"\n\nExceptions, each with its reason:\n\n~~~~text\n{reason}\n~~~~\n"
    )


def test_a_summary_that_cannot_be_written_is_reported(promises: Path) -> None:
    with pytest.raises(SutraError) as caught:
        github.show(RESULTS, {"GITHUB_STEP_SUMMARY": str(promises.parent)})
    assert caught.value.message == (
        f'GITHUB_STEP_SUMMARY: cannot write "{promises.parent}": Is a directory'
    )
