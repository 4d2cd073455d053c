"""Middleware: handle a request once its whole body is here; slow bodies block nobody else.

A body larger than its route's limit is answered 413, one that takes too long 408. Bodies arrive
beside each other in bounded memory: where too many do, the one that began first is answered 503,
for whoever sends as fast as others do is never that one.

FastAPI's own `max_body_size` answers in plain text when the length was announced, and waits for
slow bodies in the route, where they hold a place.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sutra_service.web.problem import ProblemResponse, problem

# The storage's own limit: JSON may write one byte of text as six (`\u0001`), so this takes any text
# of 64 KiB, and 128 KiB more.
MAX_BODY_BYTES = 512 * 1024
# Time for the whole body.
ARRIVE_SECONDS = 30.0
# Bodies that arrive at once, and bytes of all of them: four of the largest batches.
MAX_ARRIVING = 128
MAX_ARRIVING_BYTES = 32 * 1024 * 1024


@dataclass(eq=False)
class _Body:
    """One body while it arrives; its `limit` ends the waiting for it."""

    limit: asyncio.Timeout
    chunks: list[bytes] = field(default_factory=list)
    size: int = 0
    evicted: bool = False


class Arriving:
    """The bodies that are arriving now, in the order in which they began."""

    def __init__(self, most: int = MAX_ARRIVING, most_bytes: int = MAX_ARRIVING_BYTES) -> None:
        """Begin with none."""
        self.most = most
        self.most_bytes = most_bytes
        self.bytes = 0
        self.bodies: dict[_Body, None] = {}

    def begin(self, body: _Body) -> None:
        """Add one, at the expense of the oldest where there are too many."""
        self.bodies[body] = None
        if len(self.bodies) > self.most:
            self._evict()

    def add(self, body: _Body, chunk: bytes) -> None:
        """Keep what has arrived of `body`, at the expense of the oldest."""
        body.chunks.append(chunk)
        body.size += len(chunk)
        self.bytes += len(chunk)
        while self.bytes > self.most_bytes and not body.evicted:
            self._evict()

    def end(self, body: _Body) -> None:
        """Forget one that is here, or will not be."""
        if body in self.bodies:
            del self.bodies[body]
            self.bytes -= body.size

    def _evict(self) -> None:
        oldest = next(iter(self.bodies))
        self.end(oldest)
        oldest.chunks.clear()
        oldest.evicted = True
        oldest.limit.reschedule(asyncio.get_running_loop().time())


class BodyLimit:
    """Read bodies of at most `most` bytes, or of `routes[path]` bytes, within `seconds`."""

    def __init__(
        self,
        app: ASGIApp,
        most: int = MAX_BODY_BYTES,
        routes: Mapping[str, int] | None = None,
        seconds: float = ARRIVE_SECONDS,
        arriving: Arriving | None = None,
    ) -> None:
        """Wrap `app`."""
        self.app = app
        self.most = most
        self.routes = routes or {}
        self.seconds = seconds
        self.arriving = arriving or Arriving()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse by the announced length at once, otherwise by what arrives."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        length = headers.get("content-length", "")
        if length in {"", "0"} and "transfer-encoding" not in headers:
            await self.app(scope, receive, send)
            return
        most = self.routes.get(scope["path"], self.most)
        # the first 20 digits are enough: no body has more bytes
        announced = int(length[:20]) if length.isascii() and length.isdigit() else 0
        body = _too_large(most) if announced > most else await self._whole(receive, most)
        if isinstance(body, ProblemResponse):
            await body(scope, receive, send)
        elif body is not None:
            await self.app(scope, _first(body, receive), send)

    async def _whole(self, receive: Receive, most: int) -> bytes | ProblemResponse | None:
        """Return the body, what is wrong with it, or None when the client has left."""
        body = _Body(asyncio.timeout(self.seconds))
        try:
            async with body.limit:
                self.arriving.begin(body)
                return await self._read(body, receive, most)
        except TimeoutError:
            if body.evicted:
                return problem(503, "too many bodies arrive at once", {"Retry-After": "1"})
            return problem(408, f"body: must arrive within {self.seconds:g} s")
        finally:
            self.arriving.end(body)

    async def _read(
        self, body: _Body, receive: Receive, most: int
    ) -> bytes | ProblemResponse | None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            self.arriving.add(body, message.get("body", b""))
            if body.evicted:
                raise TimeoutError
            if body.size > most:
                return _too_large(most)
            more = message.get("more_body", False)
        return b"".join(body.chunks)


def _too_large(most: int) -> ProblemResponse:
    return problem(413, f"body: must be at most {most} bytes")


def _first(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the whole body, and then waits for the client to leave."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def whole() -> Message:
        return messages.pop() if messages else await receive()

    return whole
