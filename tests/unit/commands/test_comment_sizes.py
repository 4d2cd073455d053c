"""What a pull request's own record changes, as main's code reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.__main__ import main as front_door
from scripts.common.errors import SutraError
from scripts.history import size_records
from tests.unit.checks.sizes.pull_requests import (
    API,
    BASE,
    BEFORE,
    MB,
    PullRequest,
    opened,
    ours,
    package,
    write_record,
)
from tests.unit.fakes import FakeEngine, run_git

RECORD = Path(".build/sizes/debian") / f"{'b' * 40}.json"
GROWN = {BASE: BEFORE[BASE], API: [package("1.0", MB), ours(3 * MB)]}


@pytest.fixture
def pull(engine: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> PullRequest:
    """The working directory is main's checkout, which has a pull request's record."""
    request = opened(engine, folder)
    write_record(engine, folder / "clone", "b" * 40, GROWN)
    monkeypatch.chdir(folder / "clone")
    run_git("checkout", "-q", "main")
    return request


def test_the_table_says_whose_change_it_is(
    pull: PullRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    assert front_door(["comment-sizes", str(RECORD), "main", pull.base]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"### Sizes since main ({pull.base[:7]})\n")
    row = f"| {API} | installed | 2.0 MB | 4.0 MB | +2.0 MB | +2.0 MB | ours: +2.0 MB |"
    assert row in out.splitlines()


def test_where_nothing_changed_nothing_is_printed(
    pull: PullRequest, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_record(pull.engine, folder / "clone", "b" * 40, BEFORE)
    assert front_door(["comment-sizes", str(RECORD), "main", pull.base]) == 0
    assert capsys.readouterr().out == ""


def test_no_text_of_the_record_is_printed(
    pull: PullRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever opens a pull request may upload any record: names could be links or mentions."""
    evil = "@everyone [x](http://evil)"
    content = json.loads(RECORD.read_text())
    content["images"] |= {evil: content["images"][API]}
    for layer in content["layers"].values():
        for part in layer["parts"]:
            part |= {"kind": evil, "name": evil, "version": evil, "mark": evil}
    RECORD.write_text(json.dumps(content))
    assert front_door(["comment-sizes", str(RECORD), "main", pull.base]) == 0
    out = capsys.readouterr().out
    assert API in out
    assert "of no known owner" in out
    assert "evil" not in out
    assert "@" not in out


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not a record of sizes: "),
        ('{"form": 1}', "not a record of sizes: a field is missing or of another type"),
    ],
)
def test_what_is_not_a_record_is_one_line(pull: PullRequest, text: str, problem: str) -> None:
    RECORD.write_text(text)
    refused(pull.base, f"{RECORD}: {problem}")


def test_a_record_of_no_sensible_size_is_not_read(
    pull: PullRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(size_records, "LARGEST", RECORD.stat().st_size - 1)
    refused(pull.base, f"{RECORD}: not a record of sizes: more than {size_records.LARGEST} bytes")


def refused(commit: str, problem: str) -> None:
    with pytest.raises(SutraError) as caught:
        front_door(["comment-sizes", str(RECORD), "main", commit])
    assert caught.value.message.startswith(problem)
    assert "\n" not in caught.value.message


def test_a_record_that_is_not_there_is_one_line(pull: PullRequest) -> None:
    RECORD.unlink()
    refused(pull.base, f"{RECORD}: cannot be read: No such file or directory")


def test_a_base_without_a_record_or_a_commit_is_one_line(pull: PullRequest) -> None:
    refused("d" * 40, 'GITHUB_BASE_REF: cannot read "origin/main": ')
    run_git("update-ref", "-d", "refs/remotes/origin/sutra-sizes")
    refused(pull.base, 'sizes: origin/sutra-sizes has no record of "main"')
