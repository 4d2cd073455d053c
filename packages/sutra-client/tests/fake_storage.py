"""The storage server's contract in memory, for the tests of all three packages."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send


class FakeStorage(httpx.AsyncBaseTransport):
    """An ASGI app, and the httpx transport to it: pass it where a client takes a transport.

    `calls` records "METHOD raw-path?query". Errors put in `failures` are raised instead of
    the next answers; `answer`, when set, replaces every answer.
    """

    def __init__(self) -> None:
        """Start empty and up."""
        self.concepts: dict[str, dict[str, Any]] = {}
        self.associations: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.calls: list[str] = []
        self.failures: list[Exception] = []
        self.down = False
        self.answer: Callable[[], Response] | None = None
        self._asgi = httpx.ASGITransport(self)

    def add(self, concept_id: str, text: str) -> None:
        """Store a concept without metadata."""
        self.concepts[concept_id] = {"id": concept_id, "text": text, "metadata": {}}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer like a server, or fail like a network."""
        self.calls.append(f"{request.method} {request.url.raw_path.decode()}")
        if self.down:
            raise httpx.ConnectError("all connection attempts failed")
        if self.failures:
            raise self.failures.pop(0)
        return await self._asgi.handle_async_request(request)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the lifespan protocol is refused, as ASGI allows."""
        if scope["type"] != "http":
            raise RuntimeError("http only")
        request = Request(scope, receive)
        response = self.answer() if self.answer else self._route(request, await request.body())
        await response(scope, receive, send)

    def _route(self, request: Request, body: bytes) -> Response:
        parts = [unquote(part) for part in request.scope["raw_path"].decode().split("/")[1:]]
        match request.method, parts:
            case "GET", ["health"]:
                return JSONResponse({"status": "ok", "version": "0.1.0"})
            case "GET", ["stats"]:
                counts = {"concepts": len(self.concepts), "associations": len(self.associations)}
                return JSONResponse(counts)
            case "GET", ["concepts"]:
                return self._page(request.query_params)
            case "PUT", ["associations"]:
                return self._put_association(json.loads(body))
            case "GET", ["concepts", concept_id, "associations"] if concept_id in self.concepts:
                rows = [row for row in self.associations.values() if row["source"] == concept_id]
                return JSONResponse({"associations": rows})
            case "PUT", ["concepts", concept_id]:
                status = 200 if concept_id in self.concepts else 201
                self.concepts[concept_id] = {"id": concept_id, **json.loads(body)}
                return JSONResponse(self.concepts[concept_id], status)
            case "GET", ["concepts", concept_id] if concept_id in self.concepts:
                return JSONResponse(self.concepts[concept_id])
            case "DELETE", ["concepts", concept_id] if concept_id in self.concepts:
                del self.concepts[concept_id]
                return Response(status_code=204)
            case _, ["concepts", concept_id, *_]:
                return problem_answer(404, "Not Found", f'no concept "{concept_id}"')
        return problem_answer(404, "Not Found", "no route")

    def _page(self, query: Any) -> Response:
        after, limit = query.get("after", ""), int(query.get("limit", 100))
        ids = sorted(concept_id for concept_id in self.concepts if concept_id > after)
        shown = ids[:limit]
        following = shown[-1] if len(ids) > limit else None
        concepts = [self.concepts[concept_id] for concept_id in shown]
        return JSONResponse({"concepts": concepts, "next": following})

    def _put_association(self, row: dict[str, Any]) -> Response:
        for end in (row["source"], row["target"]):
            if end not in self.concepts:
                return problem_answer(404, "Not Found", f'no concept "{end}"')
        key = (row["source"], row["target"], row["kind"])
        status = 200 if key in self.associations else 201
        self.associations[key] = row
        return JSONResponse(row, status)


def problem_answer(status: int, title: str, detail: str) -> Response:
    """Return a problem+json answer."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")
