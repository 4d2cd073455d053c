"""End the processes that a program left behind, whatever they changed of themselves.

A process whose parent ends becomes a child of this one for as long as somebody adopts (Linux:
PR_SET_CHILD_SUBREAPER). Its session distinguishes it from children that this program started
for itself: programs that may do anything begin a new one, and no process joins another's session.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

# numbers of prctl(2)
SET_SUBREAPER, GET_SUBREAPER = 36, 37
# seconds between two looks, and looks before what cannot be killed is left alone
PAUSE, LOOKS = 0.01, 100
# looks in a row that find none: the children of one that was killed come a moment later
QUIET = 2
# processes that are watched by those who started them
_own: set[int] = set()
_lock = threading.Lock()
_adopters = 0
_was_adopting = ctypes.c_int()


def start(words: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, which is no stray until `ended` is called."""
    with _lock:  # between the two it would look like one
        process = subprocess.Popen(words, start_new_session=True, **options)
        _own.add(process.pid)
    return process


def ended(process: subprocess.Popen[bytes]) -> None:
    """Wait for a program that was started here."""
    process.wait()
    with _lock:
        _own.discard(process.pid)


@contextlib.contextmanager
def adopted() -> Iterator[None]:
    """Adopt orphans of programs that the block starts, and kill them at its end."""
    before = _children()
    _count(1)
    try:
        yield
    finally:
        kill_all(partial(_strays, before), QUIET)
        _count(-1)


def _count(more: int) -> None:
    """Count the blocks: the first one begins to adopt, the last one ends it."""
    global _adopters
    with _lock:
        if _adopters == 0:
            _prctl(GET_SUBREAPER, ctypes.byref(_was_adopting))
        _adopters += more
        _prctl(SET_SUBREAPER, ctypes.c_ulong(1 if _adopters else _was_adopting.value))


def _prctl(option: int, argument: object) -> None:
    """Call prctl(2), where there is one: what it refuses leaves only strays."""
    call = getattr(ctypes.CDLL(None), "prctl", None)
    if call is not None:
        call(option, argument, 0, 0, 0)


def kill_all(find: Callable[[], Collection[int]], enough: int) -> None:
    """Kill the processes that `find` returns, until it returns none `enough` times in a row."""
    quiet = 0
    for _ in range(LOOKS):
        pids = find()
        quiet = 0 if pids else quiet + 1
        if quiet == enough:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(PAUSE)


def processes() -> Iterator[int]:
    """Yield the numbers of all processes that /proc shows."""
    try:
        names = os.listdir("/proc")
    except FileNotFoundError:  # another system than Linux
        return
    yield from (int(name) for name in names if name.isdigit())


def _strays(before: set[int]) -> set[int]:
    """Return the adopted processes that run, and take the exit codes of those that are over."""
    with _lock:
        adopted_pids = _children() - before - _own
    return {pid for pid in adopted_pids if not _is_over(pid)}


def _is_over(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _children() -> set[int]:
    """Return the children of this process that are of another session."""
    return {pid for pid in processes() if _is_stranger(pid)}


def _is_stranger(pid: int) -> bool:
    try:
        # "1234 (any name) S 1 1234 1234 …": state, parent, group, session
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:  # it is over
        return False
    _, parent, _, session = text.rpartition(")")[2].split()[:4]
    return int(parent) == os.getpid() and int(session) != os.getsid(0)
