"""Select how much of a long test runs: a fast form in `make test`, all of it in `make test-all`."""

from __future__ import annotations

import os
from typing import TypeVar

VARIABLE = "SUTRA_TESTS_WHOLE"
Share = TypeVar("Share")


def choose(markers: str) -> None:
    """Note the extent of this run: `markers` is pytest's -m, and "" leaves no test out."""
    os.environ[VARIABLE] = "" if markers else "1"


def is_whole() -> bool:
    """Return whether long tests run whole."""
    return bool(os.environ.get(VARIABLE))


def share(whole: Share, fast: Share) -> Share:
    """Return the examples, kills or rounds of a test in this run, or their number."""
    return whole if is_whole() else fast
