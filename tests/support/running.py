"""A program or a server that runs beside a test."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseServer

# an API server finishes open requests before it ends
END_SECONDS = 60
# seconds after which a server notices that it is to end
NOTICED = 0.02


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


@contextmanager
def served(server: BaseServer) -> Iterator[None]:
    """Serve on a thread; server and thread have ended when the block has."""
    thread = threading.Thread(target=server.serve_forever, args=(NOTICED,))
    with server:
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
