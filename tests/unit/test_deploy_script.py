"""What ./sutra-deploy.sh refuses before it asks the engine for anything."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.fakes import program

ROOT = Path(__file__).parents[2]
# a client that writes down what is to be done, and knows of no image
CLIENT = 'case "$*" in *version) ;; *) echo "$*" >>asked ;; esac\n'


@pytest.fixture
def checkout(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(ROOT / "sutra-deploy.sh", folder)
    monkeypatch.setenv("DOCKER", str(program(folder / "bin", "docker", CLIENT)))
    return folder


def deploy(*words: str) -> tuple[int, str]:
    done = subprocess.run(["./sutra-deploy.sh", *words], capture_output=True, text=True)
    return done.returncode, done.stderr


def test_a_promotion_that_has_not_ended_is_not_deployed(checkout: Path) -> None:
    (checkout / ".build").mkdir()
    (checkout / ".build/promotion.json").write_text("{}")
    assert deploy("up") == (
        2,
        "sutra-deploy: up: .build/promotion.json: a promotion has not ended, nothing was touched\n"
        "tip: `make promote` or `make rollback` waits for it or settles it; "
        "then run `./sutra-deploy.sh up` again\n",
    )
    assert not (checkout / "asked").exists()


def test_without_one_it_is_deployed(checkout: Path) -> None:
    assert deploy("up")[0] == 0
    assert "compose up --detach" in (checkout / "asked").read_text()
