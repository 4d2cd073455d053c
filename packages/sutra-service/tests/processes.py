"""Services as real processes, for the tests of all three packages."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import NamedTuple

START_SECONDS = 30


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def environment(**variables: str) -> dict[str, str]:
    """Return this environment without SUTRA_ variables, with our import path and `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SUTRA_")}
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**kept, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **variables}


@contextmanager
def running(command: Sequence[str], env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Start a process with its output piped; kill it in the end if it still runs."""
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


class Answer(NamedTuple):
    """An answer that was read whole."""

    status: int
    headers: HTTPMessage
    body: bytes


def get(port: int, path: str) -> Answer:
    """Ask once."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def resident(process: subprocess.Popen[str]) -> int:
    """Return the bytes of memory that a process holds."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def descriptors(process: subprocess.Popen[str]) -> int:
    """Return how many files and connections a process has open."""
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def wait_until_listening(process: subprocess.Popen[str], port: int) -> None:
    """Return when the process accepts connections; raise AssertionError when it never does."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"nothing listens on {port}, exit status {process.poll()}")
