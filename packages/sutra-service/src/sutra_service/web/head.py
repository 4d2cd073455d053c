"""Middleware: HEAD is answered as GET, without the body (RFC 9110, 9.3.2).

FastAPI's routes take the methods that they name and no more.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Head:
    """Let routes see GET; the caller's own `scope` must not be the server's, who reads it too."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and drop the body of the answer."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        scope["method"] = "GET"
        await self.app(scope, receive, without_body)
