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

    `calls` records "METHOD raw-path?query", `headers` what came with it. Errors
    put in `failures` are raised instead of the next answers; `answer`, when set, replaces every
    answer. With a `key`, all but /health wants it as a bearer token.
    """

    def __init__(self) -> None:
        """Start empty and up."""
        self.concepts: dict[str, dict[str, Any]] = {}
        self.associations: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.revision = 0
        self.calls: list[str] = []
        self.headers: list[httpx.Headers] = []
        self.failures: list[Exception] = []
        self.down = False
        self.key: str | None = None
        self.answer: Callable[[], Response] | None = None
        self._asgi = httpx.ASGITransport(self)

    def add(self, concept_id: str, text: str) -> None:
        """Store a concept without metadata."""
        self.revision += 1
        self.concepts[concept_id] = {"id": concept_id, "text": text, "metadata": {}}

    def link(self, source: str, target: str, kind: str = "is", weight: float = 0.5) -> None:
        """Store an association; concepts that are missing are stored, too."""
        for end in (source, target):
            if end not in self.concepts:
                self.add(end, "")
        self.revision += 1
        row = {"source": source, "target": target, "kind": kind, "weight": weight}
        self.associations[source, target, kind] = row

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer like a server, or fail like a network."""
        self.calls.append(f"{request.method} {request.url.raw_path.decode()}")
        self.headers.append(request.headers)
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
        body = await request.body()
        wanted = f"Bearer {self.key}"
        if (
            self.key
            and scope["path"] != "/health"
            and request.headers.get("authorization") != wanted
        ):
            response = problem_answer(401, "Unauthorized", "the bearer token is wrong")
        else:
            response = self.answer() if self.answer else self._route(request, body)
        await response(scope, receive, send)

    def _route(self, request: Request, body: bytes) -> Response:
        parts = [unquote(part) for part in request.scope["raw_path"].decode().split("/")[1:]]
        query = dict(request.query_params)
        match request.method, parts:
            case "GET", ["health"]:
                return JSONResponse({"status": "ok", "version": "0.1.0"})
            case "GET", ["stats"]:
                return self._stats()
            case "GET", ["concepts"]:
                return self._page(query)
            case "GET", ["associations"]:
                return self._association_page(list(self.associations.values()), query)
            case "PUT", ["associations"]:
                return self._put_association(json.loads(body))
            case "DELETE", ["associations"]:
                return self._delete_association(query)
            case "POST", ["batch"]:
                return self._batch(body)
            case "PUT", ["concepts", concept_id]:
                return self._put_concept(concept_id, json.loads(body))
            case _, ["concepts", concept_id, *_] if concept_id not in self.concepts:
                return problem_answer(404, "Not Found", f'no concept "{concept_id}"')
            case "GET", ["concepts", concept_id, "associations"]:
                rows = self.associations.values()
                out = [row for row in rows if row["source"] == concept_id]
                back = [row for row in rows if row["target"] == concept_id != row["source"]]
                return self._association_page(out + back, query)
            case "GET", ["concepts", concept_id]:
                return JSONResponse(self.concepts[concept_id])
            case "DELETE", ["concepts", concept_id]:
                return self._delete_concept(concept_id)
        return problem_answer(404, "Not Found", "no route")

    def _stats(self) -> Response:
        counts = {"concepts": len(self.concepts), "associations": len(self.associations)}
        return JSONResponse({**counts, "revision": self.revision, "bytes": 4096})

    def _page(self, query: dict[str, str]) -> Response:
        after, limit = query.get("after", ""), int(query.get("limit", 100))
        prefix = query.get("prefix", "")
        ids = sorted(self.concepts, key=str.encode)
        ids = [concept_id for concept_id in ids if concept_id.encode() > after.encode()]
        ids = [concept_id for concept_id in ids if concept_id.startswith(prefix)]
        shown = ids[:limit]
        following = shown[-1] if len(ids) > limit else None
        concepts = [self.concepts[concept_id] for concept_id in shown]
        return JSONResponse({"concepts": concepts, "next": following})

    def _association_page(self, rows: list[dict[str, Any]], query: dict[str, str]) -> Response:
        """Return some of `rows`; the cursor holds a tab, as the server's does."""
        limit = int(query.get("limit", 100))
        text = query.get("after", "at\t0").removeprefix("at\t")
        if not (text.isascii() and text.isdigit()):
            return problem_answer(400, "Bad Request", "query: after: no such cursor")
        end = int(text) + limit
        following = f"at\t{end}" if end < len(rows) else None
        return JSONResponse({"associations": rows[int(text) : end], "next": following})

    def _put_concept(self, concept_id: str, body: dict[str, Any]) -> Response:
        status = 200 if concept_id in self.concepts else 201
        self.revision += 1
        self.concepts[concept_id] = {"id": concept_id, "metadata": {}, **body}
        return JSONResponse(self.concepts[concept_id], status)

    def _delete_concept(self, concept_id: str) -> Response:
        self.revision += 1
        del self.concepts[concept_id]
        for key in [key for key in self.associations if concept_id in key[:2]]:
            del self.associations[key]
        return Response(status_code=204)

    def _put_association(self, row: dict[str, Any]) -> Response:
        for end in (row["source"], row["target"]):
            if end not in self.concepts:
                return problem_answer(404, "Not Found", f'no concept "{end}"')
        key = (row["source"], row["target"], row["kind"])
        status = 200 if key in self.associations else 201
        self.revision += 1
        self.associations[key] = row
        return JSONResponse(row, status)

    def _delete_association(self, query: dict[str, str]) -> Response:
        key = (query["source"], query["target"], query["kind"])
        if key not in self.associations:
            return problem_answer(404, "Not Found", "no such association")
        self.revision += 1
        del self.associations[key]
        return Response(status_code=204)

    def _batch(self, body: bytes) -> Response:
        results = []
        for number, line in enumerate(body.splitlines(), 1):
            if line.strip():
                results.append({"line": number, **self._batch_line(line)})
        text = "".join(json.dumps(result) + "\n" for result in results)
        return Response(text, media_type="application/x-ndjson")

    def _batch_line(self, line: bytes) -> dict[str, Any]:
        try:
            match json.loads(line):
                case {"op": "put_concept", "id": str(concept_id), "text": str(text)}:
                    answer = self._put_concept(concept_id, {"text": text})
                case {"op": "put_association", **row}:
                    answer = self._put_association({str(name): row[name] for name in row})
                case _:
                    raise ValueError("unknown op")
        except (ValueError, KeyError) as error:
            return {"status": 400, "title": "Bad Request", "detail": str(error)}
        return {"status": answer.status_code}


def problem_answer(status: int, title: str, detail: str) -> Response:
    """Return a problem+json answer."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")
