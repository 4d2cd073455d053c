"""The time that an app spends on FastAPI's telemetry, which nothing here collects."""

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send


async def is_traced(app: FastAPI) -> bool:
    """Return whether FastAPI's telemetry takes part in a request to `app`, where it is set up."""
    traced: list[bool] = []

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        async def watching(message: Message) -> None:
            # it leaves the scope again at the end of a request
            traced.append("fastapi.telemetry" in scope)
            await send(message)

        await app(scope, receive, watching)

    transport = httpx.ASGITransport(watched)
    # without providers of OpenTelemetry FastAPI looks for them in each request, and traces none
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastapi.telemetry._asgi._unconfigured", lambda _: False)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            assert (await client.get("/live")).status_code == 200
    return any(traced)
