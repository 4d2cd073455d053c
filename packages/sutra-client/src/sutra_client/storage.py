"""Client for the storage server: its HTTP routes as methods, its answers as frozen dataclasses."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Self, TypeVar

import httpx

from sutra_client.fields import path_segment

T = TypeVar("T")

TIMEOUT = httpx.Timeout(connect=1.0, read=1.5, write=1.5, pool=1.0)
LIMITS = httpx.Limits(max_connections=64, max_keepalive_connections=16)
# Whole time in seconds that a health question may take, name look-up and retry included.
HEALTH_DEADLINE = 1.5


class StorageError(Exception):
    """The storage did not do what it was asked."""


class StorageUnavailable(StorageError):
    """The storage cannot be reached, is too slow, or answers outside its contract."""


class StorageRefused(StorageError):
    """The storage answered with an error; `problem` is its problem+json body."""

    def __init__(self, problem: dict[str, Any]) -> None:
        """Take the body with the keys type, title, status and detail."""
        super().__init__(f"{problem['status']} {problem['detail']}")
        self.problem = problem


class NotFound(StorageRefused):
    """The storage has nothing under this id."""


@dataclass(frozen=True)
class Concept:
    """One stored text with its metadata."""

    id: str
    text: str
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Association:
    """A directed, weighted (0 to 1) link between two concepts."""

    source: str
    target: str
    kind: str
    weight: float


@dataclass(frozen=True)
class Page:
    """Some concepts in id order; `next` is what to pass as `after` for more, or None."""

    concepts: list[Concept]
    next: str | None


@dataclass(frozen=True)
class Stats:
    """How many concepts and associations are stored."""

    concepts: int
    associations: int


@dataclass(frozen=True)
class Health:
    """What the storage says about itself."""

    status: str
    version: str


class StorageClient:
    """The storage server over one pool of connections; close it, or use it in `async with`.

    Every method raises StorageUnavailable or StorageRefused (NotFound for a 404).
    """

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Connect lazily to `url`; a test passes a `transport` instead of a network."""
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=TIMEOUT,
            limits=LIMITS,
            transport=transport,
            trust_env=False,  # a proxy set for the internet must not see internal traffic
            verify=url.startswith("https:"),  # loading CA certificates takes tens of ms
        )

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the pool."""
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def put_concept(self, concept: Concept) -> tuple[Concept, bool]:
        """Store a concept; return it as stored, and whether it is new."""
        body = {"text": concept.text, "metadata": concept.metadata}
        response = await self._ask("PUT", _concept_path(concept.id), json=body)
        return _parse(response, _concept), response.status_code == httpx.codes.CREATED

    async def get_concept(self, concept_id: str) -> Concept:
        """Return one concept."""
        return _parse(await self._ask("GET", _concept_path(concept_id)), _concept)

    async def delete_concept(self, concept_id: str) -> None:
        """Remove one concept."""
        await self._ask("DELETE", _concept_path(concept_id))

    async def list_concepts(self, after: str | None = None, limit: int = 100) -> Page:
        """Return up to `limit` (1 to 1000) concepts whose ids follow `after`."""
        params: dict[str, str | int] = {"limit": limit}
        if after is not None:
            params["after"] = after
        return _parse(await self._ask("GET", "/concepts", params=params), _page)

    async def pages(self, limit: int) -> AsyncIterator[Page]:
        """Yield every page of `limit` concepts, first to last."""
        after: str | None = None
        while True:
            page = await self.list_concepts(after, limit)
            yield page
            if page.next is None:
                return
            after = page.next

    async def put_association(self, association: Association) -> bool:
        """Store an association; return whether it is new."""
        response = await self._ask("PUT", "/associations", json=asdict(association))
        return response.status_code == httpx.codes.CREATED

    async def list_associations(self, concept_id: str) -> list[Association]:
        """Return the associations of one concept."""
        response = await self._ask("GET", f"{_concept_path(concept_id)}/associations")
        return _parse(response, lambda body: [Association(**row) for row in body["associations"]])

    async def stats(self) -> Stats:
        """Return the counts."""
        return _parse(
            await self._ask("GET", "/stats"),
            lambda body: Stats(concepts=body["concepts"], associations=body["associations"]),
        )

    async def health(self, deadline: float = HEALTH_DEADLINE) -> Health:
        """Return the storage's health, or raise StorageUnavailable within `deadline` seconds."""
        try:
            async with asyncio.timeout(deadline):
                response = await self._ask("GET", "/health")
        except TimeoutError:
            raise StorageUnavailable(f"no answer within {deadline:g} s") from None
        return _parse(response, lambda body: Health(body["status"], body["version"]))

    async def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = await self._send(method, path, **options)
        except httpx.RequestError as error:
            raise StorageUnavailable(str(error) or type(error).__name__) from error
        if response.is_success:
            return response
        problem = _problem(response)
        raise (NotFound if problem["status"] == httpx.codes.NOT_FOUND else StorageRefused)(problem)

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send once; a GET whose connection broke is sent again, once.

        A kept-alive connection may have been closed by a restarted server. A timeout is not
        retried: that would double the wait, and the server is known to be slow.
        """
        try:
            return await self._http.request(method, path, **options)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            if method != "GET":
                raise
            return await self._http.request(method, path, **options)


def _concept_path(concept_id: str) -> str:
    return f"/concepts/{path_segment(concept_id)}"


def _concept(body: dict[str, Any]) -> Concept:
    return Concept(id=body["id"], text=body["text"], metadata=body["metadata"])


def _page(body: dict[str, Any]) -> Page:
    return Page(concepts=[_concept(row) for row in body["concepts"]], next=body["next"])


def _parse(response: httpx.Response, read: Callable[[Any], T]) -> T:
    try:
        return read(response.json())
    except (ValueError, KeyError, TypeError) as error:
        request = response.request
        detail = f"unreadable answer to {request.method} {request.url.path}: {error!r}"
        raise StorageUnavailable(detail) from error


def _problem(response: httpx.Response) -> dict[str, Any]:
    """Return the problem of an error answer; the status is always that of the answer."""
    try:
        body = response.json()
    except ValueError:
        body = None
    given = body if isinstance(body, dict) else {}
    return {
        "type": str(given.get("type", "about:blank")),
        "title": str(given.get("title", response.reason_phrase)),
        "status": response.status_code,
        "detail": str(given.get("detail", f"storage answered {response.status_code}")),
    }
