from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from scripts.checks import tests_ahead
from tests.unit.fakes import program

COMMAND = "buildx bake -f docker-bake.hcl --set *.output=type=cacheonly test\n"


@pytest.fixture
def bake(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A client whose builds write their words, their number and a variable, and then go on."""
    client = program(
        folder,
        "docker",
        'if [ "$2" = version ]; then exit 0; fi\n'
        f'echo "$@" > {folder}/words\n'
        f'echo "$ROOT" > {folder}/root\n'
        f"echo $$ > {folder}/part; mv {folder}/part {folder}/pid\n"
        "exec sleep 1000\n",
    )
    monkeypatch.setenv("DOCKER", str(client))
    monkeypatch.setattr(tests_ahead, "AFTER", 0)
    (folder / "docker-bake.hcl").write_text('group "test" { targets = ["api-test"] }\n')
    return folder


def process(folder: Path) -> Path:
    """Wait for the build, and return its folder in /proc."""
    while not (folder / "pid").exists():
        time.sleep(0.01)
    return Path("/proc", (folder / "pid").read_text().strip())


def test_they_run_with_the_variables_of_the_build_until_the_block_ends(bake: Path) -> None:
    with tests_ahead.ahead(is_first=False) as tests:
        tests.begin({"ROOT": "debian@sha256:1"})
        running = process(bake)
        assert running.exists()
    assert not running.exists()
    assert (bake / "words").read_text() == COMMAND
    assert (bake / "root").read_text() == "debian@sha256:1\n"


def test_whatever_ends_the_build_ends_them(bake: Path) -> None:
    running: list[Path] = []

    def interrupted() -> None:
        with tests_ahead.ahead(is_first=False) as tests:
            tests.begin({})
            running.append(process(bake))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not running[0].exists()


def test_a_build_that_is_soon_done_begins_none(bake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tests_ahead, "AFTER", 1000)
    with tests_ahead.ahead(is_first=False) as tests:
        tests.begin({})
    assert not (bake / "words").exists()


def test_the_tests_of_a_first_build_wait_longer(
    bake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tests_ahead, "AFTER_FIRST", 1000)
    with tests_ahead.ahead(is_first=True) as tests:
        tests.begin({})
    assert not (bake / "words").exists()
    monkeypatch.setattr(tests_ahead, "AFTER_FIRST", 0)
    with tests_ahead.ahead(is_first=True) as tests:
        tests.begin({})
        assert process(bake).exists()


def test_nothing_begins_before_the_build_says_so(bake: Path) -> None:
    with tests_ahead.ahead(is_first=False):
        pass
    assert not (bake / "words").exists()


def test_a_bake_file_without_tests_has_none_to_begin(bake: Path) -> None:
    (bake / "docker-bake.hcl").write_text('group "prod" { targets = ["api"] }\n')
    with tests_ahead.ahead(is_first=False) as tests:
        tests.begin({})
        assert not (bake / "words").exists()


def test_a_client_that_cannot_be_started_is_left_to_the_run_that_counts(
    bake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[object] = []
    start = subprocess.Popen

    def refuse(*words: Any, **how: Any) -> subprocess.Popen[bytes]:
        if "process_group" not in how:  # buildx is asked for its version
            return start(*words, **how)
        refused.append(words)
        raise OSError("no process left")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with tests_ahead.ahead(is_first=False) as tests:
        tests.begin({})
        while not refused:
            time.sleep(0.01)
    assert not (bake / "words").exists()
