"""Do what all workers of pytest-xdist need in the first of them that comes to it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable

import pytest


def on_worker() -> bool:
    """Return whether this process is one of several workers."""
    return "PYTEST_XDIST_WORKER" in os.environ


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[], None]) -> None:
    """Call `make` unless another worker of this run has; wait for one that is at it."""
    folder = factory.getbasetemp()
    shared = folder.parent if on_worker() else folder
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = shared / f"{name}.done"
        if not done.exists():
            make()
            done.touch()
