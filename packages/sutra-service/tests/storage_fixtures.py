"""Fixtures that the tests of every Python service share; a conftest.py imports them."""

import pytest

from fake_storage import FakeStorage

__all__ = ["anyio_backend", "fake"]


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, as uvicorn does."""
    return "asyncio"


@pytest.fixture
def fake() -> FakeStorage:
    """Return an empty storage."""
    return FakeStorage()
