"""Middleware: at most so many requests are worked on at once; the next is answered 503."""

from starlette.types import ASGIApp, Receive, Scope, Send

from sutra_service.web.lifecycle import PROBES
from sutra_service.web.problem import problem

MAX_IN_FLIGHT = 128


class InFlight:
    """Count requests whose body is here: one that still arrives keeps nobody out."""

    def __init__(self, app: ASGIApp, most: int = MAX_IN_FLIGHT) -> None:
        """Wrap `app`; begin with none."""
        self.app = app
        self.most = most
        self.number = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse; probes are always answered."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        if self.number >= self.most:
            busy = problem(503, "too many requests at once", {"Retry-After": "1"})
            await busy(scope, receive, send)
            return
        self.number += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.number -= 1
