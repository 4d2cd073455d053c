from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest

from scripts.common import locks
from scripts.common.errors import SutraError


def test_one_run_holds_it_and_the_file_names_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "folder" / "lock"
    with locks.held(path, 0, "works"):
        assert path.read_text().strip() == str(os.getpid())
        with (
            pytest.raises(SutraError) as refused,
            locks.held(path, 0, "works"),
        ):
            raise AssertionError("both hold it")
    assert refused.value.message == f"{path}: held by process {os.getpid()}, waited 0 s"
    assert refused.value.tip == "wait for it or stop it, then run the same command again"
    assert capfd.readouterr() == ("", "")
    assert path.read_text().strip() == ""
    with locks.held(path, 0, "works"):  # free again
        assert path.read_text().strip() == str(os.getpid())


@pytest.mark.parametrize(
    ("text", "later", "shown"), [("123", "", "123"), ("", "", "unknown"), ("", "45", "45")]
)
def test_it_is_taken_as_soon_as_it_is_free(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    later: str,
    shown: str,
) -> None:
    path = tmp_path / "lock"
    pauses = []
    with path.open("w") as other:
        other.write(text)
        other.flush()
        fcntl.flock(other, fcntl.LOCK_EX)

        def free_at_the_third(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 1:  # a holder that has the lock writes its number only now
                other.write(later)
                other.flush()
            if len(pauses) == 3:
                fcntl.flock(other, fcntl.LOCK_UN)

        monkeypatch.setattr(time, "sleep", free_at_the_third)
        with locks.held(path, 60, "works"):
            assert path.read_text().strip() == str(os.getpid())
    assert pauses == [locks.PAUSE] * 3
    assert capfd.readouterr().err == f"waiting for process {shown}, which works\n"


def test_the_file_keeps_its_space_on_a_disk(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    sizes = []
    for _ in range(2):
        with locks.held(path, 0, "works"):
            sizes.append(path.stat().st_size)
        sizes.append(path.stat().st_size)
    assert sizes == [locks.WIDTH] * 4


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), locks.held(tmp_path, 0, "works"):
        raise AssertionError("it is a folder")
