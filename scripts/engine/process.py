"""Programs that are run beside the engine: the client, buildx, credential helpers."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

# enough of a build's progress to hold its failing step and its error
TAIL_BYTES = 1 << 16
# for an answer of a program that asks no engine: the client's settings, a helper
SECONDS = 30.0


def run(
    command: Sequence[str],
    input_bytes: bytes,
    environment: Mapping[str, str],
    seconds: float | None = None,
    folder: Path | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run `command` in a folder with `input_bytes` as its input and return what it wrote.

    Raises TimeoutExpired after `seconds`, SECONDS without: then it is ended together with what
    it started, which could otherwise hold its output open.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        process_group=0,
        cwd=folder,
    ) as process:
        try:
            output, errors = process.communicate(input_bytes, timeout=seconds or SECONDS)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def reason(error: OSError | subprocess.TimeoutExpired) -> str:
    """Return why a program gave no answer, in a few words."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"no answer in {error.timeout:.0f} s"
    return error.strerror or type(error).__name__


def tee(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, list[str]]:
    """Run `command`, pass its stderr on as it comes, and return exit code and last lines.

    On a terminal the command gets one as well, so that it draws live progress.
    An interrupt ends the command before it is raised here. The command has a
    process group of its own: mmdebstrap ends its whole group when it fails.
    """
    ours = sys.stderr.fileno()
    if os.isatty(ours):
        reader, writer = pty.openpty()
        termios.tcsetwinsize(writer, termios.tcgetwinsize(ours))
    else:
        reader, writer = os.pipe()
    tail = b""
    try:
        child = subprocess.Popen(
            command, stderr=writer, stdin=subprocess.DEVNULL, env=dict(environment), process_group=0
        )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    try:
        for chunk in iter(partial(_read, reader), b""):
            os.write(ours, chunk)
            tail = (tail + chunk)[-TAIL_BYTES:]
        return child.wait(), tail.decode(errors="replace").splitlines()
    except BaseException:
        os.killpg(child.pid, signal.SIGTERM)
        for chunk in iter(partial(_read, reader), b""):  # else its last words block it
            with suppress(OSError):  # nobody reads our own stderr any more
                os.write(ours, chunk)
        child.wait()
        raise
    finally:
        os.close(reader)


def _read(descriptor: int) -> bytes:
    """Return the next bytes; a terminal whose other end was closed says so by EIO."""
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:
        return b""
