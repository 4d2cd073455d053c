"""Do what all workers of pytest-xdist, and all parts of scripts/test.sh, need in the first of them.

The parts are runs of pytest one after the other, with one folder in FOLDER for what is done.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

# the name has pytest's, so that tests that run another pytest leave it out with pytest's own
FOLDER = "SUTRA_PYTEST_ONCE"


def on_worker() -> bool:
    """Return whether this process is one of several workers."""
    return "PYTEST_XDIST_WORKER" in os.environ


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[], None]) -> None:
    """Call `make` unless another worker or part of this run has; wait for one that is at it."""
    folder = factory.getbasetemp()
    own = folder.parent if on_worker() else folder
    shared = Path(os.environ.get(FOLDER) or own)
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = shared / f"{name}.done"
        if not done.exists():
            make()
            done.touch()
