"""Whether an app spends time on FastAPI's telemetry, which nothing here collects."""

from collections.abc import MutableMapping
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send


async def is_traced(app: FastAPI) -> bool:
    """Return whether FastAPI's telemetry takes part in a request to `app`."""
    scopes: list[MutableMapping[str, Any]] = []

    async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await app(scope, receive, send)

    transport = httpx.ASGITransport(recorded)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        assert (await client.get("/live")).status_code == 200
    return "fastapi.telemetry" in scopes[0]
