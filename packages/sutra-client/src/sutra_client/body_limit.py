"""Middleware: no request body is larger than its route's limit, or takes for ever to arrive.

FastAPI's own `max_body_size` answers in plain text when the length was announced, so this is here
instead. The size is what arrives, whatever Content-Length says.
"""

import asyncio
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sutra_client.problem import problem

# The storage's own limit: JSON may write one byte of text as six (`\u0001`), so this takes any text
# of 64 KiB, and 128 KiB more.
MAX_BODY_BYTES = 512 * 1024
# Time for the whole body: whoever sends a byte now and then would hold one of few places for ever.
ARRIVE_SECONDS = 30.0


class BodyLimit:
    """Answer 413 to bodies of more than `most` bytes, or of `routes[path]` bytes.

    Answer 408 to those that have not arrived after `seconds`.
    """

    def __init__(
        self,
        app: ASGIApp,
        most: int = MAX_BODY_BYTES,
        routes: Mapping[str, int] | None = None,
        seconds: float = ARRIVE_SECONDS,
    ) -> None:
        """Wrap `app`."""
        self.app = app
        self.most = most
        self.routes = routes or {}
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse by the announced length at once, otherwise count what arrives."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most = self.routes.get(scope["path"], self.most)
        detail = f"body: must be at most {most} bytes"
        length = Headers(scope=scope).get("content-length", "")
        if length.isascii() and length.isdigit() and int(length) > most:
            await problem(413, detail)(scope, receive, send)
            return
        await self.app(scope, self._counted(receive, most, detail), send)

    def _counted(self, receive: Receive, most: int, detail: str) -> Receive:
        """Return a `receive` that raises HTTPException once too much has come, or too late."""
        size, end, whole = 0, asyncio.get_running_loop().time() + self.seconds, False

        async def counted() -> Message:
            nonlocal size, whole
            try:
                # after the body `receive` waits for the client to leave, as long as that takes
                async with asyncio.timeout_at(None if whole else end):
                    message = await receive()
            except TimeoutError:
                late = f"body: must arrive within {self.seconds:g} s"
                raise HTTPException(408, late) from None
            size += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if size > most:
                raise HTTPException(413, detail)
            return message

        return counted
