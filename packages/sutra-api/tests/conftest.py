"""Fixtures of every test here."""

import pytest

from fake_storage import FakeStorage


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, as uvicorn does."""
    return "asyncio"


@pytest.fixture
def fake() -> FakeStorage:
    """Return an empty storage."""
    return FakeStorage()
