"""A new git checkout with every file that a service is part of."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.services import shared_files
from tests.conftest import ROOT

FOLDERS = ("samples", "deploy", "base-images/cleanup")
CACHES = shutil.ignore_patterns(".*_cache", "__pycache__", "target")
PROJECT = ("pyproject.toml", ".yamllint.yaml", ".hadolint.yaml", ".gitignore")


@pytest.fixture(scope="session")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that services share, their Dockerfiles and the samples: a repository, packed."""
    copy = tmp_path_factory.mktemp("committed")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, copy / folder, ignore=CACHES)
    packages = [str(path.relative_to(ROOT)) for path in ROOT.glob("packages/*/Dockerfile*")]
    for name in (*PROJECT, *(file.name for file in shared_files.FILES), *packages):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    with contextlib.chdir(copy):
        git("init", "-q", "--template=")
        commit("all")
        git("gc", "-q")
    return copy


@pytest.fixture
def checkout(tmp_path: Path, committed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Those files as they were committed; the working folder."""
    shutil.copytree(committed / ".git", tmp_path / ".git")
    monkeypatch.chdir(tmp_path)
    git("reset", "-q", "--hard")
    return tmp_path


def git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout


def commit(subject: str) -> None:
    """Commit everything as it is."""
    git("add", "-A")
    git("-c", "user.name=a", "-c", "user.email=a@example", "commit", "-qm", subject)


def changes() -> str:
    """Return what git sees that is not as it was committed, ignored files as well."""
    return git("status", "--short", "--ignored", "--untracked-files=all")
