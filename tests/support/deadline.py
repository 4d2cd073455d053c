"""Threads that scripts.common.deadline no longer waits for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from scripts.common.deadline import THREAD
from tests.support import garbage


@contextmanager
def left_to_themselves() -> Iterator[None]:
    """Wait until those of the body and their sockets have ended."""
    with garbage.collected():
        yield
        for thread in threading.enumerate():
            if thread.name == THREAD:
                thread.join(20)
                assert not thread.is_alive()
