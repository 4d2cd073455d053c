"""Select how much of a long test runs: a fast form in `make test`, all of it in `make test-all`."""

from __future__ import annotations

import os

VARIABLE = "SUTRA_TESTS_WHOLE"


def choose(markers: str) -> None:
    """Note the extent of this run: `markers` is pytest's -m, and "" leaves no test out."""
    os.environ[VARIABLE] = "" if markers else "1"


def is_whole() -> bool:
    """Return whether long tests run whole."""
    return bool(os.environ.get(VARIABLE))


def share(whole: int, fast: int) -> int:
    """Return how many examples, kills or rounds a test has in this run."""
    return whole if is_whole() else fast
