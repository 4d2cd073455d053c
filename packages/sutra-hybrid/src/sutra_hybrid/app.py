"""The FastAPI application."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, FastAPI, Request

from sutra_hybrid.corpus import limits
from sutra_hybrid.counted import HybridMetrics
from sutra_hybrid.errors import BuildFailed, NotReady
from sutra_hybrid.models import (
    AskAnswer,
    Health,
    IndexState,
    Question,
    RefreshAnswer,
    SimilarAnswer,
    ask_answer,
    similar_answer,
)
from sutra_hybrid.refresh import Refresher
from sutra_service.client.storage import StorageClient
from sutra_service.settings import api_key, number, storage_key, storage_url
from sutra_service.web import described
from sutra_service.web.deferred_route import DeferredRoute
from sutra_service.web.described import errors
from sutra_service.web.problem import ProblemResponse, Refusal, problem
from sutra_service.web.query import known_query
from sutra_service.web.service import NO_TELEMETRY, equip

# A page of the storage may be large; nobody waits for it.
READ_SECONDS = 10.0
# Questions that are searched at the same time: more would only wait for each other's processor.
SEARCHES = 4

router = APIRouter(route_class=DeferredRoute, dependencies=[Depends(known_query)])


async def _storage(request: Request) -> StorageClient:
    storage: StorageClient = request.app.state.storage
    return storage


async def _refresher(request: Request) -> Refresher:
    refresher: Refresher = request.app.state.refresher
    return refresher


async def _searches(request: Request) -> CapacityLimiter:
    searches: CapacityLimiter = request.app.state.searches
    return searches


Storage = Annotated[StorageClient, Depends(_storage)]
CurrentRefresher = Annotated[Refresher, Depends(_refresher)]
Searches = Annotated[CapacityLimiter, Depends(_searches)]


def create_app(transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """Return the app, set up from the environment; a test passes the `transport` to the storage.

    Raises SettingsError.
    """
    url, key, to_storage = storage_url(os.environ), api_key(os.environ), storage_key(os.environ)
    interval = number(os.environ, "SUTRA_REFRESH_SECONDS", default=5, low=0.1, high=3600)
    most = limits(os.environ)
    metrics = HybridMetrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        client = StorageClient(
            url, transport, deadline=READ_SECONDS, report=metrics.storage_call, key=to_storage
        )
        async with client as app.state.storage:
            refresher = Refresher(client, most)
            app.state.refresher = metrics.refresher = refresher
            app.state.searches = CapacityLimiter(SEARCHES)
            async with refresher.running(interval):
                yield

    app = FastAPI(
        title="sutra-hybrid",
        description="Similar concepts, and answers with the path that explains them.",
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
        docs_url=None,  # both pages load scripts from a public host
        redoc_url=None,
    )
    equip(app, metrics, key=key)
    app.add_exception_handler(NotReady, _not_ready)
    app.add_exception_handler(BuildFailed, _failed)
    # not `include_router`, whose routes hide from the `Allow` of a 405, and are found more slowly
    app.router.routes += router.routes
    described.complete(app, secured=key is not None)
    return app


async def _not_ready(_: Request, error: Exception) -> ProblemResponse:
    return problem(503, f"no index yet: {error}", {"Retry-After": "1"})


async def _failed(_: Request, error: Exception) -> ProblemResponse:
    return ProblemResponse(_failure(str(error)).body, 503)


def _failure(why: str) -> Refusal:
    return Refusal(503, "index-failed", "Index failed", f"no new index: {why}", index="failed")


@router.get("/health", responses=errors(), tags=["service"])
async def health(storage: Storage, refresher: CurrentRefresher) -> Health:
    """Return whether this service and its storage answer: 200, or 503 in under two seconds.

    While the storage is down, or no new index can be built (`"index": "failed"`), questions are
    answered all the same from the last index, if there is one.
    """
    await storage.ready()
    if refresher.broken is not None:
        raise _failure(refresher.broken)
    return Health(index="building" if refresher.snapshot is None else "ready")


@router.post("/similar", responses=errors(408, 413, 415), tags=["questions"])
async def similar(
    question: Question, refresher: CurrentRefresher, searches: Searches
) -> SimilarAnswer:
    """Return the concepts most similar to a text, best first."""
    snapshot = await refresher.ready()
    return await to_thread.run_sync(similar_answer, snapshot, question, limiter=searches)


@router.post("/ask", responses=errors(408, 413, 415), tags=["questions"])
async def ask(question: Question, refresher: CurrentRefresher, searches: Searches) -> AskAnswer:
    """Return the answer to a question, how sure it is, and the path that explains it."""
    snapshot = await refresher.ready()
    return await to_thread.run_sync(ask_answer, snapshot, question, limiter=searches)


@router.post("/refresh", responses=errors(), tags=["service"])
async def refresh(refresher: CurrentRefresher) -> RefreshAnswer:
    """Read the storage and rebuild now, and answer when it is done."""
    await refresher.refresh_now()
    return RefreshAnswer(index=IndexState.of(await refresher.ready()))
