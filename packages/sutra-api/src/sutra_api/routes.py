"""Routes that pass one question on to the storage."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from sutra_api.models import AssociationBody, ConceptBody, Health
from sutra_api.paths import PathId
from sutra_api.slots import Slots
from sutra_service.client.fields import ConceptId, Kind
from sutra_service.client.storage import (
    NDJSON,
    Association,
    AssociationPage,
    Concept,
    Page,
    Stats,
    StorageClient,
)
from sutra_service.web.deferred_route import DeferredRoute
from sutra_service.web.described import created, errors
from sutra_service.web.query import known_query

MAX_BATCH_BYTES = 8 * 1024 * 1024
BATCHES = 4
# Pages that are read, parsed and written at once; a page is ready in milliseconds.
PAGES = 4
PAGE_SECONDS = 5.0

router = APIRouter(route_class=DeferredRoute, dependencies=[Depends(known_query)])


async def _storage(request: Request) -> StorageClient:
    storage: StorageClient = request.app.state.storage
    return storage


async def _page_slot(request: Request) -> AsyncIterator[None]:
    """Hold a slot until the page is written: rows take memory until then."""
    slots: Slots = request.app.state.pages
    async with slots.hold("pages"):
        yield


Storage = Annotated[StorageClient, Depends(_storage)]
PAGE = [Depends(_page_slot)]
Limit = Annotated[int, Query(ge=1, le=1000, description="most rows of the page")]
After = Annotated[ConceptId | None, Query(description="only ids that follow this one")]
Cursor = Annotated[
    str | None, Query(min_length=1, max_length=4096, description="`next` of the page before")
]


@router.get("/health", responses=errors(), tags=["service"])
async def health(storage: Storage) -> Health:
    """Return whether this service can do its work: 200, or 503 in under two seconds."""
    await storage.ready()
    return Health()


@router.get("/stats", responses=errors(), tags=["service"])
async def stats(storage: Storage) -> Stats:
    """Return how many concepts and associations there are."""
    return await storage.stats()


@router.put(
    "/concepts/{concept_id}",
    responses=errors(408, 413, 415) | created("The concept"),
    tags=["concepts"],
)
async def put_concept(
    concept_id: PathId, body: ConceptBody, storage: Storage, response: Response
) -> Concept:
    """Learn a concept: 201 when it is new, 200 when it was replaced."""
    concept, new = await storage.put_concept(Concept(concept_id, body.text, body.metadata))
    response.status_code = 201 if new else 200
    return concept


@router.get("/concepts/{concept_id}", responses=errors(404), tags=["concepts"])
async def get_concept(concept_id: PathId, storage: Storage) -> Concept:
    """Return one concept."""
    return await storage.get_concept(concept_id)


@router.delete("/concepts/{concept_id}", status_code=204, responses=errors(404), tags=["concepts"])
async def delete_concept(concept_id: PathId, storage: Storage) -> None:
    """Remove one concept, and its associations with it."""
    await storage.delete_concept(concept_id)


@router.get("/concepts", responses=errors(), dependencies=PAGE, tags=["concepts"])
async def list_concepts(
    storage: Storage,
    after: After = None,
    limit: Limit = 100,
    prefix: Annotated[ConceptId | None, Query(description="only ids that begin so")] = None,
) -> Page:
    """Return a page of concepts in id order; `next` of one page is `after` of the following."""
    return await storage.list_concepts(after, limit, prefix)


@router.put(
    "/associations",
    responses=errors(404, 408, 413, 415) | created("The association"),
    tags=["associations"],
)
async def put_association(
    body: AssociationBody, storage: Storage, response: Response
) -> Association:
    """Associate two concepts: 201 when it is new, 200 when it was replaced."""
    association = Association(**body.model_dump())
    new = await storage.put_association(association)
    response.status_code = 201 if new else 200
    return association


@router.delete("/associations", status_code=204, responses=errors(404), tags=["associations"])
async def delete_association(
    storage: Storage,
    source: Annotated[ConceptId, Query()],
    target: Annotated[ConceptId, Query()],
    kind: Annotated[Kind, Query()],
) -> None:
    """Remove one association."""
    await storage.delete_association(source, target, kind)


@router.get("/associations", responses=errors(), dependencies=PAGE, tags=["associations"])
async def list_associations(
    storage: Storage, after: Cursor = None, limit: Limit = 100
) -> AssociationPage:
    """Return a page of all associations."""
    return await storage.association_page(None, after, limit)


@router.get(
    "/concepts/{concept_id}/associations",
    responses=errors(404),
    dependencies=PAGE,
    tags=["associations"],
)
async def list_associations_of(
    concept_id: PathId, storage: Storage, after: Cursor = None, limit: Limit = 100
) -> AssociationPage:
    """Return a page of the associations of one concept: outgoing, then incoming."""
    return await storage.association_page(concept_id, after, limit)


@router.post(
    "/batch",
    response_class=Response,
    responses=errors(408, 413, 415)
    | {
        200: {
            "description": "A result for each line: `line`, `status`, and what went wrong.",
            "content": {NDJSON: {"schema": {"type": "string"}}},
        }
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {NDJSON: {"schema": {"type": "string", "minLength": 1}}},
        }
    },
    tags=["concepts", "associations"],
)
async def batch(request: Request, storage: Storage) -> Response:
    """Do what the lines of NDJSON say, each all or nothing; never tried twice."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != NDJSON:  # also keeps web pages out: a browser sends this to strangers only if asked
        raise HTTPException(415, f"body: must have the Content-Type {NDJSON}")
    slots: Slots = request.app.state.batches
    async with slots.hold("batches"):
        lines = await request.body()
        if not lines:
            raise HTTPException(400, "body: must hold lines of NDJSON, is empty")
        results = await storage.batch(lines)
    return Response(results, media_type=NDJSON)
