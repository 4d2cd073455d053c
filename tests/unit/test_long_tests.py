"""What `make test` leaves out is listed, has a fast form, and runs in `make test-all`."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
LISTED = yaml.safe_load((ROOT / "tests/long_tests.yaml").read_text())
# a test's file and function, in what pytest prints of a collection
COLLECTED = re.compile(r"^(tests/[^:]+)::(\w+)", re.MULTILINE)


def collected(files: Sequence[str], *words: str) -> set[tuple[str, str]]:
    """Return file and function of each test that pytest collects, with these words."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        [*command, *words, *files], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return set(COLLECTED.findall(done.stdout))


def recipe(target: str) -> list[str]:
    """Return the words after pytest in a target's recipe."""
    (line,) = re.findall(rf"^{target}:.*\n\t(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return shlex.split(line.partition(" pytest")[2])


def test_the_list_has_every_test_that_is_left_out_and_no_other() -> None:
    marked = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if re.search(r"\bmark\.long\b", path.read_text("utf-8"))
    ]
    listed = {(file, name) for file, names in LISTED.items() for name in names}
    assert collected(marked, "-m", "long") == listed


def test_every_left_out_test_has_a_fast_form() -> None:
    fast = {place for names in LISTED.values() for place in names.values()}
    assert {file for file, _ in collected(sorted(fast))} == fast


def test_test_all_leaves_nothing_out_and_test_the_long_ones_alone() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert (settings["testpaths"], settings["addopts"]) == (
        ["tests"],
        ["--strict-markers", "--import-mode=importlib", "-m", "not long"],
    )
    assert (recipe("test"), recipe("test-all")) == ([], ["-m", ""])
