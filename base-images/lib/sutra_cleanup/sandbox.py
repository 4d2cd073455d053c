"""Run programs that may do anything: hang, fork, wait for input, write, or stay behind.

Each gets a process group, no input, and a folder for what it writes. When it is over or
takes too long its group is killed, and with it what left the group: its environment tells, and
who its parent is after its own one ended.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO

from . import strays

# nothing may be written beside the modules, and nothing of the builder's leaks in
ENVIRONMENT = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
}
MARK = "SUTRA_PROOF"
# seconds between two looks at a silent program, and at one that has closed its output
TICK, PAUSE = 0.2, 0.01
# looks in a row that find no marked process: one that is just replaced by another program
# shows no environment for a moment
QUIET = 4
CHUNK = 1 << 16
# variable with the architecture of the programs, where it is another than this machine's, and how
# many times as long an emulated one may take
CROSS, EMULATED = "SUTRA_CROSS", 10


def patience(seconds: int) -> int:
    """Return a time limit: `seconds`, or many times that where an emulator runs the programs."""
    return seconds * (EMULATED if os.environ.get(CROSS) else 1)


@dataclass(frozen=True)
class Scratch:
    """A folder that programs may write to, and the environment that names it and marks them.

    They are started in the folder `start`, or else where this program was.
    """

    folder: str
    environment: Mapping[str, str]
    start: str | None = None


@dataclass(frozen=True)
class Ended:
    """The result of a program: its exit code (a signal's negative number), and its output."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """The last line of its standard error, else its exit code."""
        return (self.err.strip().splitlines() or [f"exit {self.code}"])[-1]


@contextlib.contextmanager
def scratch() -> Iterator[Scratch]:
    """Yield a folder for programs. Afterwards it is gone, and no process of theirs is left."""
    mark = uuid.uuid4().hex
    temporary = tempfile.TemporaryDirectory(prefix="sutra-proof-", ignore_cleanup_errors=True)
    with temporary as folder, strays.adopted():
        try:
            yield Scratch(folder, {**ENVIRONMENT, "HOME": folder, "TMPDIR": folder, MARK: mark})
        finally:
            strays.kill_all(partial(_marked, f"{MARK}={mark}".encode()), QUIET)


def run(words: Sequence[str], seconds: float, folder: str | None = None) -> Ended:
    """Run a program to its end, in `folder`.

    Raises OSError when it cannot be started, subprocess.TimeoutExpired when it takes longer.
    """
    # files, not pipes: a child that stays behind would keep a pipe open
    with scratch() as place, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        place = replace(place, start=folder)
        with started(words, place, stdin=subprocess.DEVNULL, stdout=out, stderr=err) as process:
            code = process.wait(seconds)
        return Ended(code, _content(out), _content(err))


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


@contextlib.contextmanager
def started(
    words: Sequence[str], place: Scratch, **streams: int | IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program in a process group of its own; kill the group at the end."""
    process = strays.start(
        words,
        cwd=place.start,
        env=dict(place.environment),
        stdin=streams["stdin"],
        stdout=streams["stdout"],
        stderr=streams["stderr"],
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        for stream in (process.stdin, process.stdout):
            if stream:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        strays.ended(process)


def lines(process: subprocess.Popen[bytes], silence: float) -> Iterator[bytes]:
    """Yield each line of its standard output, until it ends or is silent for that many seconds."""
    assert process.stdout is not None  # noqa: S101 # for mypy: the callers ask for a pipe
    number, rest, deadline = process.stdout.fileno(), b"", time.monotonic() + silence
    while time.monotonic() < deadline:
        over = is_over(process)  # before the read: what it wrote last is still to come
        if not select.select([number], [], [], 0 if over else TICK)[0]:
            if over:
                return
            continue
        chunk = os.read(number, CHUNK)
        if not chunk:  # it is about to end, or has closed its output and goes on
            while not is_over(process) and time.monotonic() < deadline:
                time.sleep(PAUSE)
            return
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
        if whole:
            deadline = time.monotonic() + silence


def is_over(process: subprocess.Popen[bytes]) -> bool:
    """Return whether it ended. It is not reaped, so that its group's number stays its own."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _marked(mark: bytes) -> list[int]:
    """Return the processes whose environment holds `mark`."""
    return [pid for pid in strays.processes() if mark in _environment(pid)]


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # it is over, or another user's
        return b""
