"""Calls as this machine's own kernel reports them."""

from __future__ import annotations

import fcntl
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from system_calls import syscalls

from scripts.checks.runtime import seccomp_listener
from scripts.checks.runtime.seccomp_listener import Listener, listening
from scripts.common.errors import SutraError
from tests.support import programs

CALL = "sched_get_priority_max"
NUMBER = syscalls().get(CALL, "arm64" if platform.machine() == "aarch64" else platform.machine())


def start(listener: Listener, number: int = NUMBER) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", programs.text("watched_process")]
    return subprocess.Popen(
        [*command, str(listener.path), str(number)], stdout=subprocess.PIPE, text=True
    )


def test_a_call_is_noted_and_goes_on_as_it_is() -> None:
    with listening() as listener:
        assert (listener.is_connected, listener.names()) == (False, frozenset())
        with start(listener) as first, start(listener) as second:
            # 99 is the highest priority of SCHED_FIFO: the kernel's own answer
            assert [first.communicate()[0], second.communicate()[0]] == ["99\n", "99\n"]
        assert listener.is_connected
        assert listener.names() == {CALL}
        folder = listener.path.parent
    assert not folder.exists()


def test_a_call_after_the_end_of_the_listener_is_refused() -> None:
    with listening() as listener:
        pass
    (folder := listener.path.parent).mkdir()
    server = socket.socket(socket.AF_UNIX)
    try:
        server.bind(str(listener.path))
        server.listen()
        with start(listener) as process:
            with server.accept()[0] as connection:
                (reports,) = socket.recv_fds(connection, 16, 1)[1]
            os.close(reports)  # nobody reads it
            assert process.communicate()[0] == "-1\n"
    finally:
        server.close()
        listener.path.unlink()
        folder.rmdir()


def test_a_connection_that_hands_over_nothing_is_passed_over() -> None:
    with listening() as listener:
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(listener.path))
        with start(listener) as process:
            assert process.communicate()[0] == "99\n"
        assert listener.names() == {CALL}


def test_a_kernel_that_reports_nothing_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux before 5.5 knows no answer that lets a call go on."""

    def ioctl(descriptor: int, request: int, *_: object) -> int:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    with listening() as listener, start(listener) as process:
        assert process.communicate()[0] == "-1\n"
        with pytest.raises(SutraError) as caught:
            listener.names()
    assert (caught.value.message, caught.value.tip) == (
        "seccomp: the kernel reports no calls: Invalid argument",
        "it takes Linux 5.5 or newer",
    )


def test_an_engine_that_breaks_off_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not handed over is not known: the check must not pass."""

    def recv_fds(*_: object) -> None:
        raise OSError(104, "Connection reset by peer")

    monkeypatch.setattr(socket, "recv_fds", recv_fds)
    with listening() as listener, start(listener) as process:
        process.communicate()
        with pytest.raises(SutraError) as caught:
            listener.names()
    assert (caught.value.message, caught.value.tip) == (
        "seccomp: no calls from the engine: Connection reset by peer",
        "run it again",
    )


def test_a_call_of_an_unknown_processor_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def name_of(number: int, architecture: int) -> str:
        raise SutraError("seccomp: calls of another processor")

    monkeypatch.setattr(seccomp_listener, "name_of", name_of)
    with listening() as listener, start(listener) as process:
        process.communicate()
        with pytest.raises(SutraError, match="calls of another processor"):
            listener.names()


def test_the_socket_is_for_us_and_the_engine_alone() -> None:
    with listening() as listener:
        assert Path(listener.path).parent.stat().st_mode & 0o077 == 0
