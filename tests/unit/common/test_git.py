from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from scripts.common import git

ANYWAY = "or ALLOW_DIRTY=1 promotes what nobody can trace"


def commit(*words: str) -> None:
    settings = ["-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *settings, *words], check=True, capture_output=True)


@pytest.fixture
def repository(folder: Path) -> Path:
    commit("init")
    commit("commit", "--allow-empty", "-m", "one")
    return folder


def problem() -> tuple[str, str]:
    found = git.unreadable_commit()
    assert found
    return found.message, found.tip


def test_a_commit_that_can_be_read(repository: Path) -> None:
    assert git.unreadable_commit() is None


def test_a_folder_without_a_repository(folder: Path) -> None:
    assert problem() == (
        "git: no commit can be read: not a git repository (or any of the parent directories): .git",
        f"a ZIP or a copy without .git names no commit: `git clone` the repository, {ANYWAY}",
    )


def test_a_repository_without_a_commit(folder: Path) -> None:
    commit("init")
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
            os.chmod(file, 0o644)
            file.write_bytes(b"torn")
    message, tip = problem()
    assert message.startswith("git: no commit can be read: ")
    assert tip == (f"`git fsck` says what is damaged, and a new `git clone` has it whole; {ANYWAY}")
