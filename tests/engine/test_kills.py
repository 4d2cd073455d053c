"""Promotions and rollbacks killed on the real engine: afterwards all old, or all new."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import docker
import pytest

from tests.conftest import ROOT

# so many rounds, because only one in forty ends in "finished"
KILLS = 200
# rounds in `make test`; tests/unit/promotion/test_kills.py kills at many more lines
FEW = 8
SEED = 6


def killed(folder: Path, kills: int, capfd: pytest.CaptureFixture[str]) -> dict[str, int]:
    """Kill so many commands, each state being checked; return how many had each outcome."""
    word = f"k{uuid.uuid4().hex[:8]}"
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.kills", word, str(folder), str(SEED), str(kills)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/base-images/lib"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    figures = json.loads(done.stdout)
    with capfd.disabled():
        print(f"\n{kills} kills: {figures}")
    figures.pop("lines")
    assert sum(figures.values()) == kills
    return dict(figures)


def test_a_few_kills(
    client: docker.DockerClient, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    figures = killed(tmp_path, FEW, capfd)
    assert any(outcome.startswith("taken back") for outcome in figures)


@pytest.mark.long
def test_random_kills(
    client: docker.DockerClient, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    figures = killed(tmp_path, KILLS, capfd)
    assert any(outcome.startswith("taken back") for outcome in figures)
    assert any(outcome.startswith("finished") for outcome in figures)
    assert any(outcome.endswith("itself killed before") for outcome in figures)
