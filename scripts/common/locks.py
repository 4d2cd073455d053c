"""Locks between runs: an advisory lock on a file, which the kernel frees when its run ends."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from itertools import count
from pathlib import Path

from scripts.common.errors import SutraError

# seconds between two looks at a lock that another run holds
PAUSE = 0.1
# bytes of the file: the holder's process number or only blanks
WIDTH = 20


@contextmanager
def held(path: Path, seconds: float, work: str) -> Iterator[None]:
    """Hold the lock of the file `path`, made where it is not there.

    Another run is waited for, with one line on stderr: "waiting for process 123, which
    <work>". Raises SutraError after `seconds`, and OSError for a file that cannot be opened.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileIO(path, "r+", opener=_opened) as file:
        _wait(file, path, seconds, work)
        _write(file, str(os.getpid()))
        try:
            yield
        finally:
            _write(file, "")  # the next holder is not taken for this one


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, 0o666)


def _write(file: FileIO, holder: str) -> None:
    """Write who holds the lock over what is there; the file keeps its size.

    A file that is emptied and written again would need a page of the disk anew, which on
    a disk that is nearly full the journal of the tags then lacks.
    """
    with suppress(OSError):  # a full disk: only the waiter's line is poorer
        os.pwrite(file.fileno(), holder.ljust(WIDTH).encode(), 0)


def _wait(file: FileIO, path: Path, seconds: float, work: str) -> None:
    end = time.monotonic() + seconds
    is_announced = False
    for look in count(1):
        if _is_taken(file.fileno()):
            return
        file.seek(0)
        holder = file.read(WIDTH).decode(errors="replace").strip()
        if time.monotonic() > end:
            raise SutraError(
                f"{path}: held by process {holder or 'unknown'}, waited {seconds:.0f} s",
                "wait for it or stop it, then run the same command again",
            )
        # a holder writes its number right after it has the lock: the second look finds it
        if not is_announced and (holder or look > 1):
            is_announced = True
            line = f"waiting for process {holder or 'unknown'}, which {work}"
            print(line, file=sys.stderr, flush=True)
        time.sleep(PAUSE)


def _is_taken(descriptor: int) -> bool:
    """Return whether the lock is ours now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
