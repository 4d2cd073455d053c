"""Routing on the path as it was sent, so that an id may contain slashes.

ASGI servers decode `%2F` before routing, and `{concept_id:path}` would then confuse the
associations of `a` (`/concepts/a/associations`) with the concept `a/associations`
(`/concepts/a%2Fassociations`). On the undecoded path an id is always one segment.
"""

from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import Depends, HTTPException, Path
from starlette.types import ASGIApp, Receive, Scope, Send

from sutra_service.client.fields import ID_SCHEMA, check_id


class RawPath:
    """Middleware: routes see the undecoded path."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Replace `path` by `raw_path` (ASGI: bytes, without the query)."""
        if scope["type"] == "http":
            scope = {**scope, "path": scope["raw_path"].decode("latin-1")}
        await self.app(scope, receive, send)


_Segment = Annotated[
    str,
    Path(
        description="the concept's id, percent-encoded as one segment",
        json_schema_extra={name: ID_SCHEMA[name] for name in ("minLength", "maxLength", "pattern")},
    ),
]


async def _decode(concept_id: _Segment) -> str:
    try:
        return check_id(unquote_to_bytes(concept_id.encode("latin-1")).decode())
    except UnicodeDecodeError:
        raise HTTPException(400, "path.concept_id: must be valid UTF-8") from None
    except ValueError as error:
        raise HTTPException(400, f"path.concept_id: {error}") from None


PathId = Annotated[str, Depends(_decode)]
