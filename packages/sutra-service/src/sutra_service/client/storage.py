"""Client for the storage server: its HTTP routes as methods."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any, Self, TypeVar

import httpx

from sutra_service.client import records
from sutra_service.client.answer import parsed
from sutra_service.client.errors import (
    AnswerTooLarge,
    NotFound,
    StorageError,
    StorageRefused,
    StorageUnavailable,
)
from sutra_service.client.fields import path_segment
from sutra_service.client.records import Association, AssociationPage, Concept, Health, Page, Stats
from sutra_service.client.transport import DEADLINE, Report, Transport, no_report

__all__ = [
    "Association",
    "AssociationPage",
    "Concept",
    "Health",
    "NotFound",
    "Page",
    "Stats",
    "StorageClient",
    "StorageError",
    "StorageRefused",
    "StorageUnavailable",
]

T = TypeVar("T")
P = TypeVar("P", Page, AssociationPage)

# Seconds that a health check may take in all, name look-up and second try included.
HEALTH_DEADLINE = 1.5
# Seconds that a batch of at most 10,000 lines may take, while the storage answers others.
BATCH_DEADLINE = 30.0
# Seconds between health checks meanwhile; a frozen storage is noticed in under two seconds.
WATCH = 0.25
# Bytes of a batch's results: 10,000 lines, each with ids.
MAX_RESULTS = 16 * 1024 * 1024
# Factor by which a page that is too large is made smaller.
SMALLER = 8
NDJSON = "application/x-ndjson"


class StorageClient:
    """The storage server over one pool of connections; close it, or use it in `async with`.

    Every method raises StorageUnavailable or StorageRefused (NotFound for a 404).
    """

    def __init__(
        self,
        url: str,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        deadline: float = DEADLINE,
        report: Report = no_report,
        key: str | None = None,
    ) -> None:
        """Connect lazily to `url`; a test passes a `transport` instead of a network.

        `key` is the storage's bearer token, where it has one. A call takes `deadline` seconds at
        most; `report(method, outcome, seconds)` is called after each.
        """
        self._has_key = key is not None
        self._transport = Transport(url, transport, deadline, report, key)

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the pool."""
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.close()

    async def put_concept(self, concept: Concept) -> tuple[Concept, bool]:
        """Store a concept; return it as stored, and whether it is new.

        Not new may also mean: new, but the connection broke and it was sent again.
        """
        body = {"text": concept.text, "metadata": concept.metadata}
        response = await self._transport.ask("PUT", _concept_path(concept.id), json=body)
        return _parse(response, records.concept), response.status_code == httpx.codes.CREATED

    async def get_concept(self, concept_id: str) -> Concept:
        """Return one concept."""
        return _parse(await self._get(_concept_path(concept_id)), records.concept)

    async def delete_concept(self, concept_id: str) -> None:
        """Remove one concept and its associations."""
        await self._delete(_concept_path(concept_id))

    async def list_concepts(
        self, after: str | None = None, limit: int = 100, prefix: str | None = None
    ) -> Page:
        """Return up to `limit` (1 to 1000) concepts whose ids follow `after`.

        With a `prefix`, only those whose ids begin with it. Fewer where they are large: `next`
        alone says whether there are more.
        """
        while True:
            try:
                response = await self._get("/concepts", limit=limit, after=after, prefix=prefix)
            except AnswerTooLarge:
                if limit == 1:
                    raise
                limit = max(1, limit // SMALLER)
            else:
                return _parse(response, records.page)

    def pages(self, limit: int, after: str | None = None) -> AsyncIterator[Page]:
        """Yield every page of `limit` concepts, from `after` to the last."""
        size = limit

        async def read(start: str | None) -> Page:
            nonlocal size
            page = await self.list_concepts(start, size)
            # a page that was too large is followed by one of not many more concepts than it had
            size = min(limit, 2 * len(page.concepts) + 1)
            return page

        return _pages(read, after)

    async def put_association(self, association: Association) -> bool:
        """Store an association; return whether it is new (see `put_concept`)."""
        response = await self._transport.ask("PUT", "/associations", json=asdict(association))
        return response.status_code == httpx.codes.CREATED

    async def delete_association(self, source: str, target: str, kind: str) -> None:
        """Remove one association."""
        await self._delete("/associations", source=source, target=target, kind=kind)

    async def list_associations(self, concept_id: str) -> list[Association]:
        """Return all associations of one concept: outgoing, then incoming."""
        pages = self.association_pages(concept_id)
        return [association async for page in pages for association in page.associations]

    def association_pages(self, concept_id: str) -> AsyncIterator[AssociationPage]:
        """Yield every page of the associations of one concept."""
        return _pages(partial(self.association_page, concept_id))

    async def association_page(
        self, concept_id: str | None = None, after: str | None = None, limit: int = 1000
    ) -> AssociationPage:
        """Return up to `limit` (1 to 1000) associations of one concept, or of all concepts."""
        path = "/associations"
        if concept_id is not None:
            path = f"{_concept_path(concept_id)}/associations"
        response = await self._get(path, limit=limit, after=after)
        return _parse(response, records.association_page)

    async def batch(self, lines: bytes) -> bytes:
        """Send lines of NDJSON, once and never again; return the results, lines of NDJSON, too.

        A storage that answers nobody gets nothing, and is not waited for: one that is frozen takes
        a connection and a part of the lines all the same. One at work answers GET /health.
        """
        await self._alive()
        headers = {"Content-Type": NDJSON}
        sent = asyncio.ensure_future(
            self._transport.ask(
                "POST", "/batch", BATCH_DEADLINE, MAX_RESULTS, content=lines, headers=headers
            )
        )
        try:
            while not (await asyncio.wait({sent}, timeout=WATCH))[0]:
                await self._alive()
            return sent.result().content
        finally:
            sent.cancel()
            await asyncio.gather(sent, return_exceptions=True)

    async def stats(self) -> Stats:
        """Return the counts and the revision."""
        return _parse(await self._get("/stats"), records.stats)

    async def health(self, deadline: float = HEALTH_DEADLINE) -> Health:
        """Return the storage's health, or raise StorageUnavailable within `deadline` seconds."""
        return _parse(await self._transport.ask("GET", "/health", deadline), records.health)

    async def ready(self) -> None:
        """Raise StorageUnavailable or StorageRefused unless the storage is well, and takes our key.

        Its health is open to all: only another question tells whether the key is the right one.
        """
        requests: list[Awaitable[object]] = [self.health()]
        if self._has_key:
            requests.append(self._transport.ask("GET", "/stats", HEALTH_DEADLINE))
        await asyncio.gather(*requests)

    async def _alive(self) -> None:
        """Raise StorageUnavailable when nothing answers; an error is an answer."""
        with suppress(StorageRefused):
            await self._transport.ask("GET", "/health", HEALTH_DEADLINE)

    async def _get(self, path: str, **query: str | int | None) -> httpx.Response:
        return await self._transport.ask("GET", path, params=_set_values(query))

    async def _delete(self, path: str, **query: str | int | None) -> None:
        """Remove something; gone at the second try means that the first was heard."""
        try:
            await self._transport.ask("DELETE", path, params=_set_values(query))
        except NotFound as error:
            if not error.sent_again:
                raise


async def _pages(
    read: Callable[[str | None], Awaitable[P]], after: str | None = None
) -> AsyncIterator[P]:
    """Yield the pages that `read` returns, from the one that follows `after` to the last."""
    while True:
        page = await read(after)
        yield page
        if page.next is None:
            return
        after = page.next


def _set_values(query: dict[str, str | int | None]) -> dict[str, str | int]:
    return {name: value for name, value in query.items() if value is not None}


def _concept_path(concept_id: str) -> str:
    return f"/concepts/{path_segment(concept_id)}"


def _parse(response: httpx.Response, read: Callable[[Any], T]) -> T:
    try:
        return read(parsed(response))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        request = response.request
        detail = f"unreadable answer to {request.method} {request.url.path}: {error!r}"
        raise StorageUnavailable(detail) from error
