"""The FastAPI application."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response

from sutra_api.models import AssociationBody, ConceptBody
from sutra_api.paths import PathId, RawPath
from sutra_client.fields import ConceptId
from sutra_client.problem import add_handlers
from sutra_client.settings import storage_url
from sutra_client.storage import Association, Concept, Page, Stats, StorageClient

router = APIRouter()


def _storage(request: Request) -> StorageClient:
    storage: StorageClient = request.app.state.storage
    return storage


Storage = Annotated[StorageClient, Depends(_storage)]


def create_app(transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """Return the app, set up from the environment; a test passes the `transport` to the storage.

    Raises SettingsError.
    """
    url = storage_url(os.environ)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with StorageClient(url, transport) as app.state.storage:
            yield

    app = FastAPI(
        title="sutra-api",
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,  # both pages load scripts from a public host
        redoc_url=None,
    )
    app.add_middleware(RawPath)
    add_handlers(app)
    app.include_router(router)
    return app


@router.get("/health")
async def health(storage: Storage) -> dict[str, str]:
    """Say whether this service can do its work: 200, or 503 in under two seconds."""
    await storage.health()
    return {"status": "ok", "storage": "ok"}


@router.put("/concepts/{concept_id}")
async def put_concept(
    concept_id: PathId, body: ConceptBody, storage: Storage, response: Response
) -> Concept:
    """Store a concept: 201 when it is new, 200 when it was replaced."""
    concept, created = await storage.put_concept(Concept(concept_id, body.text, body.metadata))
    response.status_code = 201 if created else 200
    return concept


@router.get("/concepts/{concept_id}")
async def get_concept(concept_id: PathId, storage: Storage) -> Concept:
    """Return one concept."""
    return await storage.get_concept(concept_id)


@router.delete("/concepts/{concept_id}", status_code=204)
async def delete_concept(concept_id: PathId, storage: Storage) -> None:
    """Remove one concept."""
    await storage.delete_concept(concept_id)


@router.get("/concepts")
async def list_concepts(
    storage: Storage,
    after: Annotated[ConceptId | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Page:
    """Return a page of concepts in id order; `next` of one page is `after` of the following."""
    return await storage.list_concepts(after, limit)


@router.put("/associations")
async def put_association(
    body: AssociationBody, storage: Storage, response: Response
) -> Association:
    """Store an association: 201 when it is new, 200 when it was replaced."""
    association = Association(**body.model_dump())
    created = await storage.put_association(association)
    response.status_code = 201 if created else 200
    return association


@router.get("/concepts/{concept_id}/associations")
async def list_associations(concept_id: PathId, storage: Storage) -> dict[str, list[Association]]:
    """Return the associations of one concept."""
    return {"associations": await storage.list_associations(concept_id)}


@router.get("/stats")
async def stats(storage: Storage) -> Stats:
    """Return how many concepts and associations there are."""
    return await storage.stats()
