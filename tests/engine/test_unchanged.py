"""Unchanged images: the real `docker` command identifies them, and every check still runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.catalog import catalog
from scripts.checks.sizes import measure, unchanged
from scripts.engine import client as engine
from tests.support.project import Project


def test_what_is_known_is_checked_as_if_it_were_read(
    project: Project, client: engine.Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert project.run("build").returncode == 0
    monkeypatch.chdir(project.folder)
    promises = catalog.load()
    assert unchanged.verified(promises) is None
    read = measure.verify_all(client, promises)
    assert unchanged.verified(promises) == read
    project.write("content", "y" * 1000)
    assert project.run("build").returncode == 0
    assert unchanged.verified(promises) is None
