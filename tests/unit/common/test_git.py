"""Ask git about a folder: no answer without a repository, git's own message where it fails."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.common import git
from scripts.common.git import GitError
from tests.unit.fakes import run_git as run

REPAIR = (
    "repair the repository (`git fsck` says more) or clone it again, "
    "then run the same command again"
)


def test_a_clean_commit_is_named_by_its_hash(repository: Path) -> None:
    assert git.labels() == {
        "VERSION": run("rev-parse", "--short", "HEAD"),
        "REVISION": run("rev-parse", "HEAD"),
        "CREATED": "2024-05-06T07:08:09+02:00",
    }


def test_a_tagged_commit_is_named_by_its_tag(repository: Path) -> None:
    run("tag", "v1.2.3")
    assert git.labels() == {
        "VERSION": "v1.2.3",
        "REVISION": run("rev-parse", "HEAD"),
        "CREATED": "2024-05-06T07:08:09+02:00",
    }


@pytest.mark.parametrize("staged", [False, True])
def test_changes_that_are_not_committed_show(repository: Path, staged: bool) -> None:
    (repository / "file").write_text("2")
    if staged:
        run("add", "file")
    assert git.labels() == {
        "VERSION": run("rev-parse", "--short", "HEAD") + "-dirty",
        "REVISION": run("rev-parse", "HEAD") + "-dirty",
        "CREATED": "2024-05-06T07:08:09+02:00",
    }


def test_files_that_git_does_not_know_show_in_the_revision(repository: Path) -> None:
    """`git describe` ignores them."""
    (repository / "new").touch()
    assert git.labels() == {
        "VERSION": run("rev-parse", "--short", "HEAD"),
        "REVISION": run("rev-parse", "HEAD") + "-dirty",
        "CREATED": "2024-05-06T07:08:09+02:00",
    }


def test_files_that_git_ignores_do_not_show(repository: Path) -> None:
    (repository / ".gitignore").write_text("new\n")
    run("add", ".gitignore")
    run("commit", "-m", "two")
    (repository / "new").touch()
    assert git.labels() == {
        "VERSION": run("rev-parse", "--short", "HEAD"),
        "REVISION": run("rev-parse", "HEAD"),
        "CREATED": "2024-05-06T07:08:09+02:00",
    }


def test_outside_of_a_repository_there_are_no_labels(folder: Path) -> None:
    assert git.labels() == {}


def test_a_repository_without_commits_has_no_labels(folder: Path) -> None:
    run("init")
    assert git.labels() == {}


def refusal(folder: Path) -> tuple[str, str]:
    with pytest.raises(GitError) as caught:
        git.labels(folder)
    return caught.value.message, caught.value.tip


def test_a_folder_of_a_repository_has_its_labels(repository: Path) -> None:
    (repository / "sub").mkdir()
    assert git.labels(repository / "sub") == git.labels(repository)


def test_a_configuration_that_hides_new_files_does_not_hide_them(repository: Path) -> None:
    run("config", "status.showUntrackedFiles", "no")
    (repository / "new").touch()
    assert git.labels()["REVISION"] == run("rev-parse", "HEAD") + "-dirty"


def test_a_repository_without_git_is_one_line(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert refusal(repository) == (
        "git symbolic-ref HEAD: git does not run: No such file or directory",
        "install git, then run the same command again",
    )


def test_no_repository_needs_no_git(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert git.labels() == {}


def test_another_owners_checkout_is_one_line(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git's own tests use this variable, which makes git take the folder for another owner's."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert refusal(repository) == (
        f"git symbolic-ref HEAD: detected dubious ownership in repository at '{repository}'",
        f"`git config --global --add safe.directory {repository}`, then run the same command again",
    )


def _torn_index(repository: Path) -> None:
    (repository / ".git/index").write_bytes(b"torn")


def _no_head(repository: Path) -> None:
    (repository / ".git/HEAD").unlink()


def _foreign_head(repository: Path) -> None:
    (repository / ".git/HEAD").write_bytes(b"\xff\0")


def _empty_branch(repository: Path) -> None:
    (repository / ".git/refs/heads/main").write_text("")


def _foreign_branch(repository: Path) -> None:
    (repository / ".git/refs/heads/main").write_text("elsewhere\n")


def _lost_commit(repository: Path) -> None:
    name = run("rev-parse", "HEAD")
    (repository / ".git/objects" / name[:2] / name[2:]).unlink()


def _lost_objects(repository: Path) -> None:
    shutil.rmtree(repository / ".git/objects")


def _lost_worktree(repository: Path) -> None:
    shutil.rmtree(repository / ".git")
    (repository / ".git").write_text("gitdir: /nonexistent/worktrees/x\n")


def _dangling_link(repository: Path) -> None:
    shutil.rmtree(repository / ".git")
    (repository / ".git").symlink_to("/nonexistent/git")


def _empty_folder(repository: Path) -> None:
    shutil.rmtree(repository / ".git")
    (repository / ".git").mkdir()


STATUS = "status --porcelain --untracked-files=normal"
BRANCH = "symbolic-ref HEAD"


@pytest.mark.parametrize(
    ("damage", "command"),
    [
        (_torn_index, STATUS),
        (_lost_commit, STATUS),
        (_no_head, BRANCH),
        (_foreign_head, BRANCH),
        (_empty_branch, BRANCH),
        (_foreign_branch, BRANCH),
        (_lost_objects, BRANCH),
        (_lost_worktree, BRANCH),
        (_dangling_link, BRANCH),
        (_empty_folder, BRANCH),
    ],
)
def test_a_damaged_repository_is_one_line_of_gits_own(
    repository: Path, damage: Callable[[Path], None], command: str
) -> None:
    damage(repository)
    done = subprocess.run(["git", *command.split()], capture_output=True, text=True)
    (words,) = (line for line in done.stderr.splitlines() if line.startswith("fatal: "))
    assert refusal(repository) == (f"git {command}: {words.removeprefix('fatal: ')}", REPAIR)


def test_a_branch_that_lost_its_name_is_one_line(repository: Path) -> None:
    (repository / ".git/refs/heads/main").unlink()
    assert refusal(repository) == ("git rev-parse HEAD: refs/heads/main names no commit", REPAIR)


def test_a_new_branch_without_a_commit_has_no_labels(repository: Path) -> None:
    run("checkout", "-q", "--orphan", "new")
    assert git.labels() == {}


def test_a_repository_that_the_environment_names_must_be_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    assert refusal(folder) == (
        "git symbolic-ref HEAD: not a git repository: '/nonexistent'",
        REPAIR,
    )


def test_what_cannot_be_read_may_be_taken_for_no_commit(repository: Path) -> None:
    _no_head(repository)
    assert git.labels(allow_unreadable=True) == {}


# ---- why there is no commit ----------------------------------------------------

ANYWAY = "or ALLOW_DIRTY=1 promotes what nobody can trace"


def problem() -> tuple[str, str]:
    error = git.unreadable_commit()
    assert error
    return error.message, error.tip


def test_a_commit_that_can_be_read(repository: Path) -> None:
    assert git.unreadable_commit() is None


def test_a_folder_without_a_repository(folder: Path) -> None:
    assert problem() == (
        "git: no commit can be read: not a git repository (or any of the parent directories): .git",
        f"a ZIP or a copy without .git names no commit: `git clone` the repository, {ANYWAY}",
    )


def test_a_repository_without_a_commit(folder: Path) -> None:
    run("init")
    assert problem() == (
        "git: no commit can be read: your current branch 'main' does not have any commits yet",
        f"`git commit`, then run the same command again, {ANYWAY}",
    )


def test_a_checkout_of_another_owner(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert problem() == (
        f"git: no commit can be read: detected dubious ownership in repository at '{repository}'",
        f"`git config --global --add safe.directory {repository}`, then run the same command again",
    )
    monkeypatch.setenv("HOME", str(repository))
    command = ["git", "config", "--global", "--add", "safe.directory", str(repository)]
    subprocess.run(command, check=True)  # what the tip says
    assert git.unreadable_commit() is None


def test_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert problem() == (
        "git: no commit can be read: git does not run: No such file or directory",
        "install git (Debian: `apt-get install git`), then run the same command again, " + ANYWAY,
    )


def test_a_repository_that_is_damaged(repository: Path) -> None:
    for file in (repository / ".git/objects").rglob("*"):
        if file.is_file():
            file.chmod(0o644)
            file.write_bytes(b"torn")
    message, tip = problem()
    assert message.startswith("git: no commit can be read: ")
    assert tip == (f"`git fsck` says what is damaged, and a new `git clone` has it whole; {ANYWAY}")
