"""A program that runs beside a test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# an API server finishes open requests before it ends
END_SECONDS = 60


@contextmanager
def running(log: Path, *command: str) -> Iterator[None]:
    """Run a program with its output in `log`; it has ended when the block has."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.terminate()
            process.wait(END_SECONDS)
