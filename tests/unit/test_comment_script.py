"""The script that comments a pull request with its sizes, with a `gh` that only notes its calls."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.unit.fakes import program

COMMIT, MERGE = "c" * 40, "d" * 40
MARK = "<!-- sutra: sizes -->"
# what GitHub answers is a file for each question; each call is a line of JSON
GH = """\
exec python3 - "$@" <<'END'
import json, pathlib, sys
words = sys.argv[1:]
here = pathlib.Path("{folder}")
with (here / "calls").open("a") as file:
    print(json.dumps(words), file=file)
kinds = ("pulls", "comments", "commits")
kind = next(kind for kind in kinds if any("/" + kind in word for word in words))
if "--jq" in words:
    sys.stdout.write((here / kind).read_text())
END
"""


@dataclass(frozen=True)
class Checkout:
    """A checkout with a record of a pull request, and what GitHub and our command answer."""

    folder: Path

    def run(self, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "GITHUB_REPOSITORY": "us/sutra",
            "HEAD_OWNER": "them",
            "HEAD_BRANCH": "a&b=c $(touch x)",
            "HEAD_COMMIT": COMMIT,
        }
        return subprocess.run(
            [self.folder / "scripts/comment_sizes.sh"],
            env=environment | variables,
            capture_output=True,
            text=True,
        )

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]

    def answer(
        self, pulls: str = f"7\tmain\t{'b' * 40}\n", comments: str = "", commits: str = ""
    ) -> None:
        (self.folder / "pulls").write_text(pulls)
        (self.folder / "comments").write_text(comments)
        (self.folder / "commits").write_text(commits)

    @property
    def words(self) -> list[str]:
        """The words of our command."""
        return (self.folder / "command").read_text().split()[2:]

    def prints(self, table: str) -> None:
        script = f'echo "$@" >"{self.folder}/command"; cat "{self.folder}/table"\n'
        program(self.folder / ".venv/bin", "python", script)
        (self.folder / "table").write_text(table)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/comment_sizes.sh", tmp_path / "scripts")
    program(tmp_path / "bin", "gh", GH.replace("{folder}", str(tmp_path)))
    record = tmp_path / ".build/sizes/debian" / f"{MERGE}.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    checkout = Checkout(tmp_path)
    checkout.answer()
    checkout.prints("| a table |\n")
    return checkout


def test_a_change_is_commented_once(checkout: Checkout) -> None:
    done = checkout.run()
    assert (done.returncode, done.stdout) == (0, "comment_sizes: #7 has the comment\n"), done.stderr
    lookup, merge, _, post = checkout.calls
    assert merge[1] == f"repos/us/sutra/commits/{MERGE}"
    assert lookup[:7] == [
        *("api", "--method", "GET", "repos/us/sutra/pulls"),
        *("--field", "state=open", "--field"),
    ]
    assert lookup[7] == "head=them:a&b=c $(touch x)"
    assert post == [
        *("api", "--silent", "--method", "POST", "repos/us/sutra/issues/7/comments"),
        *("--raw-field", f"body={MARK}\n| a table |"),
    ]
    assert checkout.words == [
        *("comment-sizes", f".build/sizes/debian/{MERGE}.json", "main", "b" * 40)
    ]


def test_what_was_built_is_compared_with_the_main_that_it_was_merged_with(
    checkout: Checkout,
) -> None:
    checkout.answer(commits=f"{'e' * 40}\n")
    assert checkout.run().returncode == 0
    assert checkout.words[-1] == "e" * 40
    query = checkout.calls[1][-1]
    assert query == f'select(.parents[1].sha == "{COMMIT}") | .parents[0].sha'


def test_a_record_of_another_name_is_compared_with_the_base_that_github_names(
    checkout: Checkout,
) -> None:
    folder = checkout.folder / ".build/sizes/debian"
    (folder / f"{MERGE}.json").rename(folder / "..x.json")
    assert checkout.run().returncode == 0
    assert checkout.words[-1] == "b" * 40
    assert not [words for words in checkout.calls if "/commits/" in words[1]]


def test_an_earlier_comment_is_edited(checkout: Checkout) -> None:
    checkout.answer(comments="123\n456\n")
    assert checkout.run().returncode == 0
    assert checkout.calls[-1][3:5] == ["PATCH", "repos/us/sutra/issues/comments/123"]


def test_only_an_earlier_comment_says_that_nothing_changed(
    checkout: Checkout,
) -> None:
    checkout.prints("")
    assert checkout.run().stdout == "comment_sizes: nothing changed\n"
    assert len(checkout.calls) == 3
    checkout.answer(comments="123\n")
    assert checkout.run().returncode == 0
    assert checkout.calls[-1][-1] == f"body={MARK}\nNo size changes."


def test_a_closed_pull_request_and_a_build_without_a_record_get_none(checkout: Checkout) -> None:
    checkout.answer(pulls="")
    assert checkout.run().stdout == "comment_sizes: no open pull request is at that commit\n"
    shutil.rmtree(checkout.folder / ".build")
    line = 'comment_sizes: no record in ".build/sizes": the images were not built\n'
    assert checkout.run().stdout == line


@pytest.mark.parametrize("commit", ["", 'x") | .', "c" * 41])
def test_what_is_no_commit_is_never_part_of_a_filter(checkout: Checkout, commit: str) -> None:
    done = checkout.run(HEAD_COMMIT=commit)
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        f'comment_sizes: HEAD_COMMIT: not a commit "{commit}"',
    )
    assert not (checkout.folder / "calls").exists()


def test_several_records_are_refused(checkout: Checkout) -> None:
    (checkout.folder / ".build/sizes/other.json").write_text("{}")
    done = checkout.run()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith('comment_sizes: several records in ".build/sizes"\n')


def test_a_command_that_fails_comments_nothing(checkout: Checkout) -> None:
    program(checkout.folder / ".venv/bin", "python", "exit 2\n")
    assert checkout.run().returncode == 2
    assert not [words for words in checkout.calls if "POST" in words or "PATCH" in words]
