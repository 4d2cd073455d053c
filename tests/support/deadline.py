"""Threads that scripts.common.deadline has left to themselves."""

from __future__ import annotations

import gc
import threading

from scripts.common.deadline import THREAD


def left_to_themselves() -> None:
    """Wait for their end, and for that of their sockets."""
    for thread in threading.enumerate():
        if thread.name == THREAD:
            thread.join(20)
            assert not thread.is_alive()
    gc.collect()
