"""scripts/lock.sh: a wrong call is refused before any lock is touched."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT


def lock(folder: Path, **knobs: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a folder that has one package and a `uv` that writes down its words."""
    scripts, package = folder / "scripts", folder / "packages/mine"
    uv = folder / ".venv/bin/uv"
    for made in (scripts, package, uv.parent):
        made.mkdir(parents=True, exist_ok=True)
    (scripts / "lock.sh").write_text((ROOT / "scripts/lock.sh").read_text())
    (scripts / "lock.sh").chmod(0o755)
    (package / "requirements.in").write_text("httpx\n")
    (package / "requirements.lock").write_text("httpx==1.0 \\\n    --hash=sha256:00\n")
    uv.write_text(f'#!/bin/sh\necho "$PWD: $*" >>{folder}/words\n')
    uv.chmod(0o755)
    return subprocess.run(
        ["scripts/lock.sh"], cwd=folder, env={**os.environ, **knobs}, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("knobs", "problem", "tip"),
    [
        ({"PACKAGE": "none"}, 'PACKAGE: no such folder "packages/none"', "one of: mine"),
        ({"UPGRADE": "httpx"}, 'UPGRADE: of which package "httpx"',
         "name one: PACKAGE=sutra-api UPGRADE=httpx make lock"),
        ({"PACKAGE": "mine", "UPGRADE": "httpx,nope"}, 'UPGRADE: not in a lock of mine "nope"',
         "grep '==' packages/mine/*.lock"),
    ],
)  # fmt: skip
def test_a_wrong_call_touches_no_lock(
    tmp_path: Path, knobs: dict[str, str], problem: str, tip: str
) -> None:
    done = lock(tmp_path, **knobs)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"lock: {problem}\ntip: {tip}\n"
    assert not (tmp_path / "words").exists()


@pytest.mark.parametrize(
    ("upgrade", "words"),
    [("", "--quiet --universal"), ("httpx", "--quiet --upgrade-package httpx")],
)
def test_one_package_is_locked_and_only_what_is_named_is_upgraded(
    tmp_path: Path, upgrade: str, words: str
) -> None:
    done = lock(tmp_path, PACKAGE="mine", UPGRADE=upgrade)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "lock: packages/mine/requirements.lock\n"
    (line,) = (tmp_path / "words").read_text().splitlines()
    assert line.startswith(f"{tmp_path}/packages/mine: pip compile {words}")
