"""Work counted in lines of Python that run: the same on every machine, unlike seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

# most lines for any input, and for each of its bytes
STEPS = 100_000
STEPS_PER_BYTE = 150


# modules whose work is done once, by the first input: compiling and loading
_ONCE = ("re", "sre_parse", "sre_compile", "tomllib", "importlib", "enum")


class TooManySteps(BaseException):
    """A reader works too long for its input; no `except Exception` may hide this."""


def bound(size: int) -> int:
    """Return the most lines for an input of `size` bytes."""
    return STEPS + STEPS_PER_BYTE * size


def counted(call: Callable[[], Any], most: int) -> int:
    """Call it, and return how many lines ran in this thread. Raises TooManySteps past `most`."""
    steps = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal steps
        if event == "call":
            name = frame.f_globals.get("__name__") or ""
            return None if name.partition(".")[0] in _ONCE else trace
        steps += event == "line"
        if steps > most:
            raise TooManySteps(f"more than {most} lines of Python")
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return steps
