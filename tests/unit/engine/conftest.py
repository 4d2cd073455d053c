"""A socket that answers as an engine does."""

from __future__ import annotations

import socketserver
import tempfile
from collections.abc import Iterator

import pytest

from tests.support import garbage, running
from tests.unit.engine.stand_ins import Versions


@pytest.fixture
def served() -> Iterator[str]:
    """The address of a socket where `Versions` answers; paths of sockets must be short."""
    with tempfile.TemporaryDirectory(prefix="sutra-") as folder:
        socket = f"{folder}/docker.sock"
        server = socketserver.ThreadingUnixStreamServer(socket, Versions)
        with running.served(server), garbage.collected():
            yield f"unix://{socket}"
