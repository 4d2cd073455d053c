"""Events of fanotify: recorded bytes, hostile ones, and those of this machine's own kernel."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import struct
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.errors import SutraError
from scripts.engine import fanotify
from scripts.engine.fanotify import ACCESS, OPEN, OPEN_EXEC, Event

# a read of Linux 6.18: a file that was opened and read, a script that another process
# executed, and that script opened again
RECORDED = bytes.fromhex(
    "18000000030018002100000000000000040000001d080000"
    "18000000030018002110000000000000050000004908000018000000030018002000000000000000"
    "060000001d080000"
)
ROOT_TIP = "run it as root on the machine of a rootful engine: `sudo make floor IMAGE=…`"


def event(length: int = 24, version: int = 3, own: int = 24, more: bytes = b"") -> bytes:
    return struct.pack("=IBBHQii", length, version, 0, own, OPEN, -1, 7) + more


def test_recorded_events_are_read() -> None:
    assert list(fanotify.parse(RECORDED)) == [
        Event(OPEN | ACCESS, 4, 2077),
        Event(OPEN | ACCESS | OPEN_EXEC, 5, 2121),
        Event(OPEN, 6, 2077),
    ]
    assert list(fanotify.parse(b"")) == []


def test_what_follows_an_event_is_passed_over() -> None:
    opened = Event(OPEN, -1, 7)
    assert list(fanotify.parse(event(length=28, more=b"more") + event())) == [opened, opened]
    assert list(fanotify.parse(event(length=28, own=28, more=b"more"))) == [opened]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (RECORDED[:23], "23 bytes are left"),
        (RECORDED[:25], "1 bytes are left"),
        (event(version=2), "version 2, not 3"),
        (event(length=25), "length 25 of 24 bytes"),
        (event(length=0), "length 0 of 24 bytes"),
        (event(length=2**32 - 1), "length 4294967295 of 24 bytes"),
        (event(own=25), "length 24 of 24 bytes"),
        (event(own=23), "length 24 of 24 bytes"),
    ],
)
def test_hostile_events_are_one_line(data: bytes, problem: str) -> None:
    with pytest.raises(SutraError) as caught:
        list(fanotify.parse(data))
    assert caught.value.message == f"floor: unknown form of fanotify's events: {problem}"


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda more: event() + more))
def test_any_bytes_are_events_or_one_line(data: bytes) -> None:
    count, end = 0, 0
    try:
        for _ in fanotify.parse(data):
            count += 1
    except SutraError:
        end = 1
    assert count + end <= len(data) // 24 + 1
    assert end or len(data) >= 24 * count


def may_trace() -> bool:
    """Return whether this process has the right: CAP_SYS_ADMIN, in the machine's own namespace."""
    held = re.search(r"^CapEff:\s*(\w+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    outermost = Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
    return bool(held and int(held[1], 16) >> 21 & 1 and outermost)


def test_opens_of_this_machine_are_seen_where_it_allows_that(tmp_path: Path) -> None:
    for name in ("opened", "unopened", "program"):
        (tmp_path / name).write_text("#!/bin/sh\n")
    (tmp_path / "program").chmod(0o755)
    before = os.listdir("/proc/self/fd")
    if not may_trace():
        with pytest.raises(SutraError, match="cannot trace which files"), fanotify.trace():
            pass
        return
    with fanotify.trace() as trace:
        trace.watch(str(tmp_path))
        (tmp_path / "opened").read_text()
        subprocess.run([tmp_path / "program"], check=True)
        events = [opened for opened in trace.read() if Path(opened.path).parent == tmp_path]
    assert {Path(opened.path).name for opened in events} == {"opened", "program"}
    first = next(opened for opened in events if opened.path.endswith("opened"))
    assert (first.process, first.mask & OPEN) == (os.getpid(), OPEN)
    assert any(opened.mask & OPEN_EXEC for opened in events if opened.path.endswith("program"))
    assert os.listdir("/proc/self/fd") == before  # each event's file is closed


class Refusing(SimpleNamespace):
    """A C library whose kernel refuses fanotify."""

    def __init__(self, code: int, group: int) -> None:
        self.code, self.group = code, group

    def fanotify_init(self, flags: int, opened: int) -> int:
        ctypes.set_errno(self.code)
        return self.group

    def fanotify_mark(self, *words: object) -> int:
        ctypes.set_errno(self.code)
        return -1


@pytest.mark.parametrize(
    ("code", "problem", "tip"),
    [
        (errno.EPERM, "operation not permitted", ROOT_TIP),
        (
            errno.ENOSYS,
            "function not implemented",
            "the kernel has no fanotify: run it on one with CONFIG_FANOTIFY",
        ),
        (
            errno.EMFILE,
            "too many open files",
            "too many fanotify groups: see /proc/sys/fs/fanotify/max_user_groups",
        ),
        (errno.EIO, "input/output error", ROOT_TIP),
    ],
)
def test_a_missing_right_is_one_line(
    code: int, problem: str, tip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Refusing(code, -1))
    with pytest.raises(SutraError) as caught, fanotify.trace():
        pass
    assert caught.value.message == f"floor: cannot trace which files are opened: {problem}"
    assert caught.value.tip == tip


def test_a_filesystem_that_cannot_be_watched_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    group = os.open(os.devnull, os.O_RDONLY)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Refusing(errno.EINVAL, group))
    with pytest.raises(SutraError) as caught, fanotify.trace() as trace:
        trace.watch("/")
    assert (caught.value.message, caught.value.tip) == (
        "floor: cannot watch which files are opened: invalid argument",
        "it takes Linux 5.0 or newer",
    )
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.close(group)


def test_a_place_that_is_gone_is_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    group = os.open(os.devnull, os.O_RDONLY)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Refusing(errno.ENOENT, group))
    with pytest.raises(FileNotFoundError, match="/gone"), fanotify.trace() as trace:
        trace.watch("/gone")


def test_another_system_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    with pytest.raises(SutraError) as caught, fanotify.trace():
        pass
    assert (caught.value.message, caught.value.tip) == (
        "floor: only Linux can trace which files are opened",
        ROOT_TIP,
    )


def test_lost_events_are_one_line() -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.write(writer, struct.pack("=IBBHQii", 24, 3, 0, 24, fanotify.OVERFLOW, -1, 0))
    try:
        with pytest.raises(SutraError) as caught:
            fanotify.Trace(None, reader).read()
    finally:
        os.close(reader)
        os.close(writer)
    assert caught.value.message == "floor: the kernel lost events of opened files"
