"""Threads that scripts.common.deadline no longer waits for."""

from __future__ import annotations

import gc
import threading

from scripts.common.deadline import THREAD


def left_to_themselves() -> None:
    """Wait until they and their sockets have ended."""
    for thread in threading.enumerate():
        if thread.name == THREAD:
            thread.join(20)
            assert not thread.is_alive()
    gc.collect()
