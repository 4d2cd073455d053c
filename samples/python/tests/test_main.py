"""The process that the image starts: it answers, and ends with SIGTERM."""

import os
import socket
import subprocess
import sys
import time

import httpx


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answer(port: int) -> int:
    """Return the status of `/live`, as soon as there is one."""
    end = time.monotonic() + 30
    while True:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/live").status_code
        except httpx.TransportError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def test_it_serves_until_sigterm() -> None:
    port = free_port()
    settings = {"SUTRA_HOST": "127.0.0.1", "SUTRA_PORT": str(port)}
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}  # pytest's own: see pyproject.toml
    command = [sys.executable, "-m", "sample_service"]
    with subprocess.Popen(command, env={**os.environ, **path, **settings}) as process:
        try:
            assert answer(port) == 200
        finally:
            process.terminate()
    assert process.returncode == 0
