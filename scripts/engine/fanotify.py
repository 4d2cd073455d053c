"""Record which files of a filesystem are opened, through Linux's fanotify (fanotify(7)).

The kernel reports every open on the filesystem, from whichever container or namespace; the
processes are neither stopped nor slowed, and nothing is put into the image.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from scripts.common.errors import SutraError

# linux/fanotify.h
CLOSE_ON_EXEC, NON_BLOCKING, UNLIMITED_QUEUE = 0x1, 0x2, 0x10
MARK_ADD, MARK_FILESYSTEM = 0x1, 0x100
ACCESS, OPEN, OPEN_EXEC, OVERFLOW = 0x1, 0x20, 0x1000, 0x4000
AT_FDCWD, NO_FILE, VERSION = -100, -1, 3
# struct fanotify_event_metadata: length, version, reserved, length of itself, mask, file, process
METADATA = struct.Struct("=IBBHQii")
# bytes that one read takes: each event opens a file of ours, and there may be 1024 of those
READ = 256 * METADATA.size
WHERE = "run it as root on the machine of a rootful engine: `sudo make floor IMAGE=…`"
TIPS = {
    errno.EPERM: WHERE,
    errno.ENOSYS: "the kernel has no fanotify: run it on one with CONFIG_FANOTIFY",
    errno.EINVAL: "it takes Linux 5.0 or newer",
    errno.EMFILE: "too many fanotify groups: see /proc/sys/fs/fanotify/max_user_groups",
}


@dataclass(frozen=True)
class Event:
    """One event: what happened, our descriptor of the file (NO_FILE: none), and who did it."""

    mask: int
    file: int
    process: int


@dataclass(frozen=True)
class Opened:
    """One file that a process opened, executed or read: its path as that process sees it."""

    path: str
    mask: int
    process: int


def parse(data: bytes) -> Iterator[Event]:
    """Yield the events of one read. Raises SutraError for what is not in the kernel's format."""
    offset = 0
    while offset < len(data):
        if len(data) - offset < METADATA.size:
            raise _malformed(f"{len(data) - offset} bytes are left")
        length, version, _, own, mask, file, process = METADATA.unpack_from(data, offset)
        if version != VERSION:
            raise _malformed(f"version {version}, not {VERSION}")
        if not METADATA.size <= own <= length <= len(data) - offset:
            raise _malformed(f"length {length} of {len(data) - offset} bytes")
        yield Event(mask, file, process)
        offset += length


def _malformed(problem: str) -> SutraError:
    return SutraError(f"floor: unknown form of fanotify's events: {problem}", "report it")


class Trace:
    """A fanotify group: `watch` names filesystems, `read` returns what was opened on them."""

    def __init__(self, libc: Any, group: int) -> None:
        self._libc, self._group = libc, group

    def watch(self, place: str) -> None:
        """Report opens on the whole filesystem that is mounted at `place`, from now on.

        Raises FileNotFoundError if nothing is there, SutraError where it cannot be watched.
        """
        mask = ctypes.c_uint64(OPEN | OPEN_EXEC | ACCESS)
        flags = MARK_ADD | MARK_FILESYSTEM
        if self._libc.fanotify_mark(self._group, flags, mask, AT_FDCWD, os.fsencode(place)) < 0:
            code = ctypes.get_errno()
            if code == errno.ENOENT:
                raise FileNotFoundError(code, os.strerror(code), place)
            raise _refused("watch", code)

    def read(self) -> list[Opened]:
        """Return what was opened since the last call, in order.

        Raises SutraError where events were lost.
        """
        opened = []
        while data := self._next():
            events = list(parse(data))
            try:
                opened += [_opened(event) for event in events if event.file != NO_FILE]
            finally:
                for event in events:
                    if event.file != NO_FILE:
                        os.close(event.file)
            if any(event.mask & OVERFLOW for event in events):
                raise SutraError("floor: the kernel lost events of opened files", "run it again")
        return opened

    def _next(self) -> bytes:
        try:
            return os.read(self._group, READ)
        except BlockingIOError:
            return b""


def _opened(event: Event) -> Opened:
    return Opened(os.readlink(f"/proc/self/fd/{event.file}"), event.mask, event.process)


@contextmanager
def trace() -> Iterator[Trace]:
    """Make a group and close it afterwards. Raises SutraError where that is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "fanotify_init"):
        raise SutraError("floor: only Linux can trace which files are opened", WHERE)
    group = libc.fanotify_init(
        CLOSE_ON_EXEC | NON_BLOCKING | UNLIMITED_QUEUE, os.O_RDONLY | os.O_CLOEXEC
    )
    if group < 0:
        raise _refused("trace", ctypes.get_errno())
    try:
        yield Trace(libc, group)
    finally:
        os.close(group)


def _refused(what: str, code: int) -> SutraError:
    problem = os.strerror(code).lower()
    return SutraError(
        f"floor: cannot {what} which files are opened: {problem}", TIPS.get(code, WHERE)
    )
