"""Fixtures of every test here."""

from collections.abc import AsyncIterator

import httpx
import pytest

from fake_storage import FakeStorage
from storage_fixtures import anyio_backend, fake
from sutra_api.app import create_app

__all__ = ["anyio_backend", "api", "fake"]


@pytest.fixture
async def api(
    fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the app over `fake`; SUTRA_API_KEY counts as the test has set it."""
    monkeypatch.delenv("SUTRA_STORAGE_URL", raising=False)
    app = create_app(fake)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api") as client,
    ):
        yield client
