"""Programs that are run beside the engine: the client, buildx, credential helpers."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

# for an answer of a program that asks no engine: the client's settings, a helper
SECONDS = 30.0


def answered(
    command: Sequence[str], given: bytes, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    """Run `command` with `given` as its input and return what it wrote.

    Raises TimeoutExpired after SECONDS: then it is ended together with what it started,
    which could otherwise hold its output open.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=dict(environment), process_group=0,
    ) as process:  # fmt: skip
        try:
            output, errors = process.communicate(given, timeout=SECONDS)
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
