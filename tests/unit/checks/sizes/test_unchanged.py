"""Unchanged images are checked without Docker's SDK; changed ones need it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.checks.sizes import unchanged
from scripts.checks.sizes.unchanged import verified
from scripts.common.check_result import CheckResult
from scripts.image.size_cache import CACHE, remember, remember_stored
from scripts.oci.layer import Layer
from tests.conftest import ROOT
from tests.support.results import flat
from tests.unit.fakes import program

API = Image("sutra-api", Budget(50, 20))
HYBRID = Image("sutra-hybrid", Budget(90, 40))
PROMISES = Catalog(Path("images.yaml"), (API, HYBRID), Budget(100, 50))
SHARED, OWN, OTHER = "sha256:base", "sha256:api", "sha256:hybrid"
LINES = (
    json.dumps({"id": "sha256:1", "diff_ids": [SHARED, OWN]}),
    json.dumps({"id": "sha256:2", "diff_ids": [SHARED, OTHER]}),
)


def remembered(cache: Path) -> None:
    """Keep what reading the two images once would have kept."""
    for digest, installed in ((SHARED, 40), (OWN, 10), (OTHER, 50)):
        remember(cache, Layer(digest, digest, installed, 10))
    remember_stored(cache, "sha256:1", [SHARED, OWN])
    remember_stored(cache, "sha256:2", [SHARED, OTHER])


def answering(folder: Path, *lines: str, then: str = "") -> Path:
    """Make a `docker` command that prints these lines, and records its arguments in a file."""
    (folder / "lines").write_text("".join(f"{line}\n" for line in lines))
    return program(folder, "docker", f'echo "$@" >{folder}/words\ncat {folder}/lines\n{then}')


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for a `docker` command that is the first on PATH, and a cache of both images."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    remembered(tmp_path / CACHE)
    return tmp_path


def test_known_images_are_checked_by_what_was_kept(docker: Path) -> None:
    answering(docker, *LINES)
    assert flat(verified(PROMISES, docker / CACHE) or []) == [
        CheckResult("sutra-api", "installed", True, 50, 50, ""),
        CheckResult("sutra-api", "download", True, 20, 20, ""),
        CheckResult("sutra-hybrid", "installed", True, 90, 90, ""),
        CheckResult("sutra-hybrid", "download", True, 20, 40, ""),
        CheckResult("release", "installed", True, 100, 100, ""),
        CheckResult("release", "download", True, 30, 50, ""),
    ]
    assert (docker / "words").read_text().endswith(" sutra-api:prod sutra-hybrid:prod\n")


@pytest.mark.parametrize(
    ("lines", "then"),
    [
        pytest.param(LINES[:1], "exit 1", id="an image is missing"),
        pytest.param(LINES, "exit 1", id="the engine went away"),
        pytest.param(LINES[:1], "", id="a line is missing"),
        pytest.param((*LINES, LINES[1]), "", id="a line too many"),
        pytest.param((LINES[0], "{"), "", id="no JSON"),
        pytest.param((LINES[0], "{}"), "", id="no id"),
        pytest.param((LINES[0], "[]"), "", id="no mapping"),
        pytest.param((LINES[0], '{"id": "sha256:2", "diff_ids": 1}'), "", id="no list of layers"),
        pytest.param((LINES[0], '{"id": "sha256:2", "diff_ids": null}'), "", id="no layers said"),
        pytest.param((LINES[0], '{"id": "sha256:2", "diff_ids": []}'), "", id="no layers"),
        pytest.param((LINES[0], LINES[1].replace(":2", ":3")), "", id="another image"),
        pytest.param((LINES[0], LINES[1].replace(OTHER, "sha256:new")), "", id="a new layer"),
    ],
)
def test_whatever_is_not_known_is_left_to_the_reader(
    docker: Path, lines: tuple[str, ...], then: str
) -> None:
    answering(docker, *lines, then=then)
    assert verified(PROMISES, docker / CACHE) is None


def test_without_a_docker_command_nothing_is_known(
    docker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(docker))
    assert verified(PROMISES, docker / CACHE) is None


def test_an_engine_that_takes_long_is_not_waited_for(
    docker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(docker, *LINES, then="exec sleep 60")
    monkeypatch.setattr(unchanged, "PATIENCE", 0.1)
    assert verified(PROMISES, docker / CACHE) is None


def test_what_is_over_its_budget_is_left_to_what_can_say_why(docker: Path) -> None:
    answering(docker, *LINES)
    small = Catalog(Path("images.yaml"), (API, HYBRID), Budget(99, 50))
    assert verified(small, docker / CACHE) is None


IMAGES = """\
release: {budget: {installed: 100 B, download: 50 B}}
images:
  sutra-api:
    budget: {installed: 50 B, download: 20 B}
    contents: {shells: {skip: true, because: its names are known without the rules}}
  sutra-hybrid: {budget: {installed: 90 B, download: 40 B}}
"""
SLOW_TO_LOAD = (
    "docker",
    "requests",
    "scripts.image.inventory",
    "scripts.oci.compression",
    "scripts.oci.tar_stream",
)


def test_a_check_of_what_is_known_loads_neither_sdk_nor_readers(docker: Path) -> None:
    answering(docker, *LINES)
    (docker / "images.yaml").write_text(IMAGES)
    code = (
        "import sys\nfrom scripts.__main__ import main\n"
        f"code = main(['verify-sizes'])\nprint([m for m in {SLOW_TO_LOAD} if m in sys.modules])\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=docker,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GIT_CEILING_DIRECTORIES": str(docker.parent)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (
        0,
        "images.yaml: budgets: not compared with earlier ones, no commit\n",
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "sutra-hybrid" in done.stdout
