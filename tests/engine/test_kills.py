"""Promotions and rollbacks killed on the real engine: afterwards all old, or all new."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.conftest import ROOT
from tests.support import cosign
from tests.support.registries import registry

# so many rounds, because only one in forty ends in "finished"
KILLS = 200
# rounds of promotions that sign: each has nine signatures, and as many verifications
SIGNED, FEW_SIGNED = 30, 3
# rounds in `make test`; tests/unit/promotion/test_kills.py kills at many more lines
FEW = 8
SEED = 6


def killed(
    folder: Path, kills: int, capfd: pytest.CaptureFixture[str], program: str = "kills", *more: str
) -> dict[str, int]:
    """Kill so many commands, each state being checked; return how many had each outcome."""
    word = f"k{uuid.uuid4().hex[:8]}"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            f"tests.support.{program}",
            word,
            str(folder),
            str(SEED),
            str(kills),
            *more,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/base-images/lib"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    figures = json.loads(done.stdout)
    with capfd.disabled():
        print(f"\n{kills} {program}: {figures}")
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


# ---- promotions that sign, with cosign and a registry ----------------------


@pytest.fixture
def place(tmp_path: Path) -> Iterator[list[str]]:
    """A registry and a key: what tests.support.signed_kills is called with."""
    key, public = cosign.key_pair(tmp_path / "keys")
    with registry(tmp_path / "registry") as address:
        yield [f"{address}/team", str(key), str(public)]


def test_a_few_kills_of_promotions_that_sign(
    client: docker.DockerClient, tmp_path: Path, place: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    figures = killed(tmp_path / "group", FEW_SIGNED, capfd, "signed_kills", *place)
    assert any(outcome.startswith("taken back") for outcome in figures)


@pytest.mark.long
def test_random_kills_of_promotions_that_sign(
    client: docker.DockerClient, tmp_path: Path, place: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    figures = killed(tmp_path / "group", SIGNED, capfd, "signed_kills", *place)
    assert any(outcome.startswith("taken back") for outcome in figures)
    assert any(outcome.startswith("finished") for outcome in figures)
