"""A socket that answers as an engine does."""

from __future__ import annotations

import gc
import socketserver
import tempfile
from collections.abc import Iterator

import pytest

from tests.support import running
from tests.unit.engine.stand_ins import Versions


@pytest.fixture
def served() -> Iterator[str]:
    """The address of a socket where `Versions` answers; paths of sockets must be short."""
    with tempfile.TemporaryDirectory(prefix="sutra-") as folder:
        socket = f"{folder}/docker.sock"
        with running.served(socketserver.ThreadingUnixStreamServer(socket, Versions)):
            try:
                yield f"unix://{socket}"
            finally:
                gc.collect()
