"""The FastAPI application."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from sutra_api import explore, routes
from sutra_api.paths import RawPath
from sutra_api.slots import Slots
from sutra_service.client.storage import StorageClient
from sutra_service.settings import api_key, storage_key, storage_url
from sutra_service.web import described
from sutra_service.web.metrics import Metrics
from sutra_service.web.service import NO_TELEMETRY, equip


def create_app(transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """Return the app, set up from the environment; a test passes the `transport` to the storage.

    Raises SettingsError.
    """
    url, key, to_storage = storage_url(os.environ), api_key(os.environ), storage_key(os.environ)
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        client = StorageClient(url, transport, report=metrics.storage_call, key=to_storage)
        async with client as app.state.storage:
            yield

    app = FastAPI(
        title="sutra-api",
        description="Learn concepts, associate them, find them again.",
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
        docs_url=None,  # both pages load scripts from a public host
        redoc_url=None,
    )
    app.state.searches = Slots(explore.SEARCHES)
    app.state.batches = Slots(routes.BATCHES)
    app.state.pages = Slots(routes.PAGES, routes.PAGE_SECONDS)
    equip(app, metrics, key=key, max_bodies={"/batch": routes.MAX_BATCH_BYTES})
    app.add_middleware(RawPath)
    # not `include_router`, whose routes hide from the `Allow` of a 405, and are found more slowly
    app.router.routes += [*routes.router.routes, *explore.router.routes]
    described.complete(app, secured=key is not None)
    return app
