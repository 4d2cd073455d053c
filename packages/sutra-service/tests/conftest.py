"""Fixtures of every test here."""

import pytest

from fake_storage import FakeStorage
from processes import free_port


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, as uvicorn does."""
    return "asyncio"


@pytest.fixture
def fake() -> FakeStorage:
    """Return an empty storage."""
    return FakeStorage()


@pytest.fixture
def unused_port() -> int:
    """Return a port that nobody listens on."""
    return free_port()
