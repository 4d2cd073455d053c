"""Workers of pytest-xdist make together what all need, and one begins with the images."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, pytest_collection_modifyitems

# a test on each of two workers; both need the same thing, which takes a while
SUITE = """
import pathlib
import time

import pytest

from tests.support.once import on_worker, once

FOLDER = pathlib.Path(__file__).parent


def make():
    with (FOLDER / "made").open("a") as notes:
        notes.write("made\\n")
    assert not (FOLDER / "broken").exists()
    time.sleep(0.5)
    (FOLDER / "ready").touch()


@pytest.mark.parametrize("number", [1, 2])
def test_it(number, tmp_path_factory, worker_id):
    assert on_worker() == (worker_id != "master")
    once(tmp_path_factory, "thing", make)
    assert (FOLDER / "ready").exists()
"""


def pytest_in(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder, without the plugins that these tests do not need."""
    inherited = {name: text for name, text in os.environ.items() if "PYTEST" not in name}
    own = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
        cwd=folder,
        env={**inherited, **own, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def run(folder: Path, *words: str) -> tuple[int, int]:
    """Run SUITE; return pytest's exit code and how often the thing was made."""
    (folder / "test_suite.py").write_text(SUITE)
    done = pytest_in(folder, *words, str(folder))
    assert "2 passed" in done.stdout or "2 failed" in done.stdout, done.stdout + done.stderr
    return done.returncode, len((folder / "made").read_text().splitlines())


@pytest.mark.parametrize("words", [("-n0",), ("-n2", "--dist=load")])
def test_it_is_made_once_and_the_other_waits(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert run(tmp_path, *words) == (0, 1)


def test_what_could_not_be_made_is_not_taken_for_made(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    assert run(tmp_path, "-n2", "--dist=load") == (1, 2)


def test_files_that_start_from_one_machine_stay_on_one_worker(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from tests.conftest import pytest_xdist_make_scheduler\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    for file in ("engines/test_a", "engines/test_b", "engine/test_c"):
        path = tmp_path / f"tests/{file}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"def test_it(worker_id): open({str(path)!r} + worker_id, 'w').close()\n")
    words = ("-n2", "--dist=loadfile", "--no-loadscope-reorder", "tests/engines", "tests/engine")
    done = pytest_in(tmp_path, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    notes = [path.name.split(".py") for path in (tmp_path / "tests").rglob("*.pygw*")]
    workers = dict(notes)
    assert len(notes) == len(workers) == 3
    # which of the two begins is the system's choice
    assert workers["test_a"] == workers["test_b"] != workers["test_c"]


class Item:
    """What the order of collected tests is made of: a file, and the names of its fixtures."""

    def __init__(self, path: str, *fixturenames: str) -> None:
        self.path, self.fixturenames = Path(path), fixturenames


def ordered() -> list[str]:
    """Return the files of some tests in the order in which they run."""
    items: list[Any] = [
        Item("a"),
        Item("b", "client", "tag"),
        Item("a", "tag"),  # a parameter of that name
        Item("c", "client"),
        Item("d", "client", "production"),
    ]
    pytest_collection_modifyitems(items)
    return [str(item.path) for item in items]


def test_one_worker_begins_with_the_images_and_the_others_need_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    assert ordered() == ["b", "a", "a", "c", "d"]
    monkeypatch.delenv("PYTEST_XDIST_WORKER")
    assert ordered() == ["a", "b", "a", "c", "d"]
