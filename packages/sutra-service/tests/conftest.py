"""Fixtures of every test here."""

import pytest

from processes import free_port
from storage_fixtures import anyio_backend, fake

__all__ = ["anyio_backend", "fake", "unused_port"]


@pytest.fixture
def unused_port() -> int:
    """Return a port that nobody listens on."""
    return free_port()
