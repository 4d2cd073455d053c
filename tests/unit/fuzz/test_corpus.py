"""Replay every input of `make fuzz`, given or found, without atheris."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from scripts.common.errors import SutraError
from tests.fuzz import corpus, steps, targets
from tests.fuzz.seeds import SEEDS

# most bytes of the whole corpus, and of one file
WHOLE, ONE = 400_000, 16 << 10


@pytest.fixture
def _path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The target for logins clears PATH, and sets the folder of Docker's configuration."""
    with monkeypatch.context() as own:
        own.setenv("PATH", "/nothing")
        own.setenv("DOCKER_CONFIG", "/nothing")
        yield


@pytest.mark.usefixtures("_path")
@pytest.mark.parametrize("name", targets.TARGETS)
def test_every_input_is_read_or_refused_in_bounded_work(name: str) -> None:
    target = targets.TARGETS[name]
    inputs = list(corpus.inputs(name))
    for _, data in inputs[:3]:  # modules that load once must not count as an input's work
        target(data)
    for label, data in inputs:
        taken = steps.counted(partial(target, data), steps.bound(len(data)))
        assert taken > 0, label


def test_every_target_has_seeds_and_every_folder_a_target() -> None:
    assert list(SEEDS) == list(targets.TARGETS)
    assert {folder.name for folder in corpus.FOLDER.iterdir()} <= set(SEEDS)


def test_the_corpus_is_small() -> None:
    sizes = [file.stat().st_size for name in SEEDS for file in corpus.kept(name)]
    assert sum(sizes) < WHOLE
    assert max(sizes) <= ONE


def test_work_past_the_bound_is_a_fault() -> None:
    with pytest.raises(steps.TooManySteps, match=r"^more than 100 lines of Python$"):
        steps.counted(lambda: [number for number in range(99) if _odd(number)], 100)
    assert steps.counted(lambda: _odd(1), 100) == 2


def _odd(number: int) -> bool:
    return number % 2 == 1


def test_a_message_that_breaks_its_line_is_a_fault() -> None:
    class RawError(SutraError):
        def __init__(self) -> None:
            super().__init__("x")
            self.message = "two\nlines"

    def fails() -> None:
        raise RawError

    with pytest.raises(AssertionError, match=r"^not one printable line: 'two\\nlines'$"):
        targets.refused(fails)
