"""A new git checkout with every file that a service is part of."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.services import shared_files
from tests.conftest import ROOT

FOLDERS = ("samples", "deploy", "base-images/cleanup")
CACHES = shutil.ignore_patterns(".*_cache", "__pycache__", "target")
PROJECT = ("pyproject.toml", ".yamllint.yaml", ".hadolint.yaml", ".gitignore")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that services share, their Dockerfiles and the samples; the working folder."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=CACHES)
    packages = [str(path.relative_to(ROOT)) for path in ROOT.glob("packages/*/Dockerfile*")]
    for name in (*PROJECT, *(file.name for file in shared_files.FILES), *packages):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    commit("all")
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
