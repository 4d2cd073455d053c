"""Apps that the tests of `serve` run as processes."""

import asyncio
import os
import sys
import time

from fastapi import FastAPI, Request, Response

from sutra_service.web.metrics import Metrics
from sutra_service.web.service import equip

LARGE = 8 * 1024 * 1024


def create_app() -> FastAPI:
    """Return an app with a healthy, a slow and a broken route."""
    app = FastAPI()
    equip(app, Metrics(), key=os.environ.get("SUTRA_API_KEY"))

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/slow")
    async def slow() -> dict[str, str]:
        await asyncio.sleep(0.7)
        return {"status": "done"}

    @app.get("/stuck")
    async def stuck() -> None:
        await asyncio.sleep(600)

    @app.get("/large")
    async def large() -> Response:
        return Response(b"x" * LARGE)

    @app.put("/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the secret cause")

    return app


def create_impatient() -> FastAPI:
    """Return the same app after shortening the server's bounds to SECONDS_HEAD and so on, or 1 s.

    `serve` calls it while imports are quick: the server's modules are imported here, not before.
    """
    from sutra_service.web import connections, server
    from sutra_service.web.connections import Phase

    for phase in (Phase.HEAD, Phase.REST, Phase.UNREAD):
        connections.SECONDS[phase] = float(os.environ.get(f"SECONDS_{phase.name}", "1"))
    server.GRACE_SECONDS = 1.0
    return create_app()


def create_slowly() -> FastAPI:
    """Never return, as if imports took very long."""
    print("starting", file=sys.stderr, flush=True)
    for _ in range(600):  # not one long sleep: a signal just before it would not cut it short
        time.sleep(0.1)
    raise AssertionError("not stopped")
