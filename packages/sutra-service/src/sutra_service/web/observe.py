"""Middleware around everything: a request's id, its line in the log, its place in the metrics.

It also refuses what comes while the process stops, and answers what nobody else caught with a 500,
so that even these have an id and a line.
"""

import asyncio
import logging
import re
import time
from collections.abc import MutableMapping
from contextlib import suppress
from secrets import token_hex
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sutra_service.context import request_id
from sutra_service.web.lifecycle import PROBES, Lifecycle
from sutra_service.web.metrics import Metrics
from sutra_service.web.problem import ProblemResponse, problem

logger = logging.getLogger("sutra.request")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_VALID_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
# nginx's code for "client closed request".
CLIENT_LEFT = 499
# How long a client may take to read the refusal of a request that was ended.
REFUSAL_SECONDS = 1.0


class Observe:
    """Give every request an id, a line and a count; outermost of all middleware."""

    def __init__(self, app: ASGIApp, metrics: Metrics, lifecycle: Lifecycle) -> None:
        """Wrap `app`."""
        self.app = app
        self.metrics = metrics
        self.lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, watch its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = Headers(scope=scope).get("x-request-id", "")
        current = sent if _VALID_ID.fullmatch(sent) else token_hex(16)
        token = request_id.set(current)
        answer = _Answer(send, current, self.lifecycle)
        # routes and middleware change it: not the server's own
        scope = {**scope}
        method = scope["method"] if scope["method"] in METHODS else "other"
        start = time.perf_counter()
        self.metrics.in_flight += 1
        try:
            await self._pass_on(scope, receive, answer)
        finally:
            self.metrics.in_flight -= 1
            self._log(method, scope, answer, time.perf_counter() - start)
            request_id.reset(token)

    async def _pass_on(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        if self.lifecycle.refuses(scope["path"]):
            await _stopping()(scope, receive, answer)
            return
        try:
            await self.app(scope, receive, answer)
        except asyncio.CancelledError:  # the server ends what runs too long at a stop
            if answer.status is None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(REFUSAL_SECONDS):
                        await _stopping()(scope, receive, answer)
            else:
                raise
        except Exception:  # whatever it is: logged, and answered by a problem
            logger.exception("unexpected error")
            if answer.status is not None:
                raise  # half an answer is out: the server cuts the connection
            await problem(500, "unexpected error")(scope, receive, answer)

    def _log(self, method: str, scope: Scope, answer: "_Answer", seconds: float) -> None:
        status = answer.status or CLIENT_LEFT
        route = route_of(scope)
        self.metrics.request(method, route, status, seconds)
        quiet = route in PROBES and status < 400
        fields = {
            "method": method,
            "route": route,
            "status": status,
            "milliseconds": round(seconds * 1000, 3),
        }
        logger.log(logging.DEBUG if quiet else logging.INFO, "request", extra={"fields": fields})


class _Answer:
    """`send` that adds the id, ends the connection at a stop, and remembers the status."""

    def __init__(self, send: Send, request_id: str, lifecycle: Lifecycle) -> None:
        self.send = send
        self.request_id = request_id
        self.lifecycle = lifecycle
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.request_id
            if self.lifecycle.stopping:
                headers["Connection"] = "close"
        await self.send(message)


def _stopping() -> ProblemResponse:
    return problem(503, "the service is stopping", {"Retry-After": "1"})


def route_of(scope: MutableMapping[str, Any]) -> str:
    """Return the route's own pattern, or "none": a path tells what somebody stores."""
    return getattr(scope.get("route"), "path", "none")
