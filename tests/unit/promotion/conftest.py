"""A repository with a bake file of a base and two services, as buildx prints its plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.fakes import program, run_git

SERVICE = {"dockerfile": "Dockerfile", "contexts": {"base:prod": "target:base"}}
PLAN = {
    "target": {
        "base": {"dockerfile": "Dockerfile.base", "tags": ["base:prod"]},
        "api": {**SERVICE, "tags": ["api:prod"]},
        "storage": {**SERVICE, "tags": ["storage:prod"]},
    }
}


@pytest.fixture
def project_repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with one commit; a docker client beside it prints the plan."""
    client = program(folder / ".git-ignored", "docker", f"cat {folder}/.git-ignored/plan\n")
    monkeypatch.setenv("DOCKER", str(client))
    (client.parent / "plan").write_text(json.dumps(PLAN))
    (folder / ".gitignore").write_text(".git-ignored\n")
    (folder / "Dockerfile").write_text("FROM base:prod\nCOPY content /\n")
    (folder / "Dockerfile.base").write_text("FROM scratch\nCOPY of-the-base /\n")
    for name in ("content", "of-the-base"):
        (folder / name).write_text("1")
    run_git("init")
    run_git("add", "--all")
    run_git("commit", "--quiet", "-m", "one")
    return folder
