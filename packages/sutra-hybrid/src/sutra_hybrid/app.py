"""The FastAPI application."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request

from sutra_client.problem import add_handlers
from sutra_client.settings import number, storage_url
from sutra_client.storage import StorageClient
from sutra_hybrid.models import IndexState, Match, RefreshAnswer, SimilarAnswer, SimilarBody
from sutra_hybrid.refresh import Refresher

router = APIRouter()


def _storage(request: Request) -> StorageClient:
    storage: StorageClient = request.app.state.storage
    return storage


def _refresher(request: Request) -> Refresher:
    refresher: Refresher = request.app.state.refresher
    return refresher


Storage = Annotated[StorageClient, Depends(_storage)]
CurrentRefresher = Annotated[Refresher, Depends(_refresher)]


def create_app(transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """Return the app, set up from the environment; a test passes the `transport` to the storage.

    Raises SettingsError.
    """
    url = storage_url(os.environ)
    interval = number(os.environ, "SUTRA_REFRESH_SECONDS", default=5, low=0.1, high=3600)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with StorageClient(url, transport) as app.state.storage:
            app.state.refresher = Refresher(app.state.storage)
            async with app.state.refresher.running(interval):
                yield

    app = FastAPI(
        title="sutra-hybrid",
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,  # both pages load scripts from a public host
        redoc_url=None,
    )
    add_handlers(app)
    app.include_router(router)
    return app


@router.get("/health")
async def health(storage: Storage, refresher: CurrentRefresher) -> dict[str, str]:
    """Say whether this service can do its work: 200, or 503 in under two seconds."""
    await storage.health()
    if not refresher.tried:
        raise HTTPException(503, "the first refresh of the index has not ended")
    return {"status": "ok", "storage": "ok"}


@router.post("/similar")
def similar(body: SimilarBody, refresher: CurrentRefresher) -> SimilarAnswer:
    """Return the concepts most similar to a text, best first.

    Not `async`: FastAPI runs it in a thread, so that a long query holds up no other answer.
    """
    snapshot = refresher.snapshot
    matches = [
        Match(id=concept_id, text=snapshot.index.texts[concept_id], score=score)
        for concept_id, score in snapshot.index.query(body.text, body.k)
    ]
    return SimilarAnswer(matches=matches, index=IndexState.of(snapshot))


@router.post("/refresh")
async def refresh(refresher: CurrentRefresher) -> RefreshAnswer:
    """Rebuild the index now, and answer when it is done."""
    await refresher.refresh(force=True)
    return RefreshAnswer(index=IndexState.of(refresher.snapshot))
