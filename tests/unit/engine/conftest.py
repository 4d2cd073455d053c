"""A socket that answers as an engine does."""

from __future__ import annotations

import gc
import socketserver
import tempfile
import threading
from collections.abc import Iterator

import pytest

from tests.unit.engine.stand_ins import Versions


@pytest.fixture
def served() -> Iterator[str]:
    """The address of a socket where `Versions` answers; paths of sockets must be short."""
    with tempfile.TemporaryDirectory(prefix="sutra-") as folder:
        socket = f"{folder}/docker.sock"
        with socketserver.ThreadingUnixStreamServer(socket, Versions) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield f"unix://{socket}"
            finally:
                gc.collect()
                server.shutdown()
                thread.join()
