"""Apps that the tests of `serve` run as processes."""

import asyncio
import sys
import time

from fastapi import FastAPI

from sutra_client.problem import add_handlers


def create_app() -> FastAPI:
    """Return an app with a healthy, a slow and a broken route."""
    app = FastAPI()
    add_handlers(app)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/slow")
    async def slow() -> dict[str, str]:
        await asyncio.sleep(0.7)
        return {"status": "done"}

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the secret cause")

    return app


def create_slowly() -> FastAPI:
    """Never return: stands for long imports."""
    print("starting", file=sys.stderr, flush=True)
    for _ in range(600):  # not one long sleep: a signal just before it would not cut it short
        time.sleep(0.1)
    raise AssertionError("not stopped")
