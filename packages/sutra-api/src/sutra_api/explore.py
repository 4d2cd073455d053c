"""Routes that ask the storage many times for one answer; few of them run at once."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request

from sutra_api import shortest, words
from sutra_api.models import ConceptPath, Found
from sutra_api.routes import After, Storage
from sutra_api.slots import Slots
from sutra_service.client.fields import ConceptId
from sutra_service.web.deferred_route import DeferredRoute
from sutra_service.web.described import errors
from sutra_service.web.query import known_query

SEARCHES = 4

router = APIRouter(route_class=DeferredRoute, tags=["explore"], dependencies=[Depends(known_query)])


async def _slots(request: Request) -> Slots:
    slots: Slots = request.app.state.searches
    return slots


Words = Annotated[
    str,
    Query(
        min_length=1,
        max_length=256,
        description="whole words, in any case",
        json_schema_extra={"pattern": r"[\p{L}\p{N}_]"},
    ),
]
Searches = Annotated[Slots, Depends(_slots)]


@router.get("/search", responses=errors())
async def search(
    storage: Storage,
    slots: Searches,
    q: Words,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Found:
    """Return concepts that hold every word of `q` in id or text, in id order.

    One request reads a bounded number of concepts; go on with `next` as `after` until it is null.
    """
    try:
        wanted = words.words_of(q)
    except ValueError as error:
        raise HTTPException(400, f"query.q: {error}") from None
    async with slots.hold("searches"):
        return await words.search(storage, wanted, after, limit)


@router.get("/path", responses=errors(404, 422))
async def path(
    storage: Storage,
    slots: Searches,
    source: Annotated[ConceptId, Query()],
    target: Annotated[ConceptId, Query()],
    max_depth: Annotated[int, Query(ge=1, le=shortest.MAX_DEPTH)] = 6,
    directed: Annotated[bool, Query(description="false: follow associations either way")] = True,
) -> ConceptPath:
    """Return a shortest path of associations from one concept to another."""
    async with slots.hold("searches"):
        return await shortest.shortest(storage, source, target, max_depth, directed)
