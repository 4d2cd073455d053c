"""Locks are all written, or all as they were; tests/unit/sbom/test_outdated_debian.py has more."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from scripts.common.errors import SutraError
from scripts.sbom import lock_copies


@pytest.fixture
def handlers() -> list[object]:
    """The handlers of both signals, as a command has them."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_until_the_body_has_ended(
    handlers: list[object], number: signal.Signals
) -> None:
    done = []

    def interrupt_twice() -> None:
        with lock_copies.uninterrupted():
            signal.raise_signal(number)
            signal.raise_signal(number)
            done.append("body")

    with pytest.raises(KeyboardInterrupt):
        interrupt_twice()
    assert done == ["body"]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_an_error_of_the_body_is_its_own(handlers: list[object]) -> None:
    with pytest.raises(ValueError, match=r"^body$"), lock_copies.uninterrupted():
        raise ValueError("body")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def locks(folder: Path) -> list[Path]:
    return [folder / "packages.lock", *sorted(folder.glob("r*.lock"))]


def test_after_success_the_locks_are_the_new_ones_and_no_copy_is_left(tmp_path: Path) -> None:
    (tmp_path / "r.lock").write_text("old")
    with lock_copies.all_or_none(lambda: locks(tmp_path)):
        assert (tmp_path / "r.lock.before").read_text() == "old"
        (tmp_path / "r.lock").write_text("new")
        (tmp_path / "packages.lock").write_text("first")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "r.lock": "new",
        "packages.lock": "first",
    }


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_after_a_failure_no_lock_is_new(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "r.lock").write_text("old")

    def write() -> None:
        with lock_copies.all_or_none(lambda: locks(tmp_path)):
            (tmp_path / "r.lock").unlink()
            (tmp_path / "r2.lock").write_text("new")
            (tmp_path / "packages.lock").write_text("first")
            raise error

    with pytest.raises(error):
        write()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"r.lock": "old"}


def test_a_copy_that_is_there_stays_and_nothing_else_is_copied(tmp_path: Path) -> None:
    for name in ("packages.lock", "r.lock"):
        (tmp_path / name).write_text("now")
    (tmp_path / "r.lock.before").write_text("before")
    with pytest.raises(SutraError), lock_copies.all_or_none(lambda: locks(tmp_path)):
        pass
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "packages.lock": "now",
        "r.lock": "now",
        "r.lock.before": "before",
    }
