"""Middleware around everything: a request's id, its line in the log, its place in the metrics.

It also bounds how many requests are answered at once, and answers what nobody else caught with a
500, so that even these have an id and a line.
"""

import logging
import re
import time
from collections.abc import MutableMapping
from secrets import token_hex
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sutra_client.context import request_id
from sutra_client.metrics import Metrics
from sutra_client.problem import problem

logger = logging.getLogger("sutra.request")

MAX_IN_FLIGHT = 128
# Asked every few seconds by machines: answered even under load, logged only when it went wrong.
HEALTH = "/health"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_VALID_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
# nginx's name for: the client left before there was an answer.
CLIENT_LEFT = 499


class Observe:
    """Give every request an id, a line and a count; outermost of all middleware."""

    def __init__(self, app: ASGIApp, metrics: Metrics, max_in_flight: int = MAX_IN_FLIGHT) -> None:
        """Wrap `app`; beyond `max_in_flight` requests, the next is answered 503."""
        self.app = app
        self.metrics = metrics
        self.max_in_flight = max_in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, watch its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        current = given if _VALID_ID.fullmatch(given) else token_hex(16)
        token = request_id.set(current)
        answer = _Answer(send, current)
        start = time.perf_counter()
        self.metrics.in_flight += 1
        try:
            await self._pass_on(scope, receive, answer)
        finally:
            self.metrics.in_flight -= 1
            self._tell(scope, answer, time.perf_counter() - start)
            request_id.reset(token)

    async def _pass_on(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        if self.metrics.in_flight > self.max_in_flight and scope["path"] != HEALTH:
            busy = problem(503, "too many requests at once", {"Retry-After": "1"})
            await busy(scope, receive, answer)
            return
        try:
            await self.app(scope, receive, answer)
        except Exception:  # whatever it is: logged, and answered by a problem
            logger.exception("unexpected error")
            if answer.status is not None:
                raise  # half an answer is out: the server cuts the connection
            await problem(500, "unexpected error")(scope, receive, answer)

    def _tell(self, scope: Scope, answer: "_Answer", seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        status = answer.status or CLIENT_LEFT
        route = route_of(scope)
        self.metrics.request(method, route, status, seconds)
        quiet = route == HEALTH and status < 400
        fields = {
            "method": method,
            "route": route,
            "status": status,
            "milliseconds": round(seconds * 1000, 3),
        }
        logger.log(logging.DEBUG if quiet else logging.INFO, "request", extra={"fields": fields})


class _Answer:
    """`send` that adds the id and remembers the status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.send = send
        self.request_id = request_id
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["X-Request-ID"] = self.request_id
        await self.send(message)


def route_of(scope: MutableMapping[str, Any]) -> str:
    """Return the route's own pattern, or "none": a path tells what somebody stores."""
    return getattr(scope.get("route"), "path", "none")
