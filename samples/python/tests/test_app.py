"""What the service answers, asked without a network."""

import asyncio

import httpx

from sample_service.app import create_app


def ask(path: str) -> httpx.Response:
    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(create_app())
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(path)

    return asyncio.run(answer())


def test_health() -> None:
    assert (ask("/health").status_code, ask("/health").json()) == (200, {"status": "ok"})


def test_hello() -> None:
    assert ask("/hello/world").json() == {"hello": "world"}


def test_a_missing_path() -> None:
    assert ask("/nothing").status_code == 404
