"""Shared by all unit tests: no knob of the caller's shell reaches them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from scripts.image import read_layers
from tests.support.debian_mirror import Mirror, serving, signing_keys
from tests.unit.fakes import FakeEngine, run_git

# The rules' tests share a module that asserts. It is registered here, since pytest refuses a
# module that is imported already, and tests of other folders import it too.
pytest.register_assert_rewrite("tests.unit.checks.contents.judging")

# no run depends on an earlier one
settings.register_profile("sutra", database=None, deadline=None, derandomize=True, max_examples=60)
settings.load_profile("sutra")

KNOBS = (
    "APT_MIRROR",
    "BASE",
    "PLATFORMS",
    "CA_BUNDLE",
    "DOCKER",
    "SUTRA_PROJECT",
    "YES",
    "DATA",
    "ALL",
    "DRY_RUN",
    "ALLOW_DIRTY",
    "FORMAT",
    "FROM",
    "TO",
    "VERSION",
    "REGISTRY",
    "KEEP",
    "SCREENSHOT",
    "FULL",
    "ALLOW_UNCOMPARED",
    "GITHUB_BASE_REF",
    "GITHUB_STEP_SUMMARY",
    "DURATIONS",
    "NAME",
    "LANGUAGE",
    "PORT",
    "REFRESH",
    "CVE",
    "PURL",
    "PART",
    "ONLY",
    "DEBIAN_VERSION",
    "KEYRING",
)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name in KNOBS or name.startswith(("BUILDX_", "DOCKER_", "GIT_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine adds no line to what a command says; the test of that line sets its own."""
    monkeypatch.setattr(read_layers, "SLOW", 600.0)


@pytest.fixture
def amd64(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's own platform is linux/amd64, whatever it is."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, in no git repository."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, a git repository with one commit."""
    monkeypatch.setenv("LC_ALL", "C")
    run_git("init")
    (folder / "file").write_text("1")
    run_git("add", "file")
    run_git("commit", "-m", "one")
    return folder


@pytest.fixture(scope="session")
def debian_keys() -> Iterator[Path]:
    """Keys that sign a mirror's indexes."""
    with signing_keys() as home:
        yield home


@pytest.fixture
def mirror(tmp_path: Path, debian_keys: Path) -> Iterator[Mirror]:
    """A mirror of Debian on loopback that has nothing yet."""
    with serving(tmp_path, debian_keys) as served:
        yield served
