"""Run a cleanup for the command line: one clear line for what is wrong, and its exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from .errors import CleanupError
from .tree import show

# signals that end a program; a module that is imported can send one to its parent
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signalled(BaseException):
    """A signal ended the cleanup; no code that handles a failed step handles this one."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.name = signal.Signals(number).name


def run(work: Callable[[], str]) -> int:
    """Print what `work` returns, or what is wrong with the manifest, the call or the disk.

    A signal that ends the process lets `work` take back first what it has changed.
    """
    try:
        with _signals_raised():
            print(work())
    except CleanupError as error:
        print(error.message, file=sys.stderr)
        if error.tip:
            print(f"tip: {error.tip}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        shown = f' "{show(os.fsdecode(error.filename))}"' if error.filename else ""
        print(f"cleanup: {(error.strerror or str(error)).lower()}{shown}", file=sys.stderr)
        print("tip: fix that, then run it again", file=sys.stderr)
        return 2
    except Signalled as end:
        print(f'cleanup: ended by a signal "{end.name}", nothing was changed', file=sys.stderr)
        print(
            "tip: run it again; where nobody sent the signal, a module does when it is imported",
            file=sys.stderr,
        )
        return 2
    return 0


@contextmanager
def _signals_raised() -> Iterator[None]:
    """Raise Signalled for a signal that would end the process, but for those that nohup ignores."""
    before = {number: signal.getsignal(number) for number in ENDING}
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, _raise)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, _: FrameType | None) -> None:
    """Raise Signalled once: a second signal would interrupt what takes the changes back."""
    for other in ENDING:
        signal.signal(other, signal.SIG_IGN)
    raise Signalled(number)
