"""The OpenAPI description: what FastAPI cannot know of errors, limits and the token."""

from typing import Any

from fastapi import FastAPI

Responses = dict[int | str, dict[str, Any]]

PROBLEM = {
    "title": "Problem",
    "description": "An error (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "bound": {
            "type": "string",
            "enum": ["depth", "seen", "time"],
            "description": "which bound a search met",
        },
    },
}
_REFERENCE = {"$ref": "#/components/schemas/Problem"}
_BODY = {"application/problem+json": {"schema": _REFERENCE}}
_MEANINGS = {
    400: "The request is wrong; the detail says where, never what was sent.",
    401: "A bearer token is needed, or the one that was sent is wrong.",
    404: "There is no such thing.",
    408: "The body took too long to arrive.",
    413: "The body is larger than this takes.",
    422: "A bound was met before the answer was known.",
    500: "A bug; the log has more, under the request's id.",
    502: "The storage failed.",
    503: "The storage does not answer, or is full, or this service is busy.",
}


def errors(*statuses: int) -> Responses:
    """Return the `responses` of a route that may answer with these, and what any may."""
    everywhere = (400, 401, 500, 502, 503)
    return {
        status: {"description": _MEANINGS[status], "content": _BODY}
        for status in sorted({*everywhere, *statuses})
    }


def created(what: str) -> Responses:
    """Return the `responses` of a route that stores: 200 is what the route returns."""
    return {200: {"description": f"{what} was replaced."}, 201: {"description": f"{what} is new."}}


def complete(app: FastAPI, secured: bool) -> None:
    """Let `app` describe its problems, and the token where it is `secured`."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = describe()
            parts = schema.setdefault("components", {})
            parts.setdefault("schemas", {})["Problem"] = PROBLEM
            for path, operations in schema["paths"].items():
                for operation in operations.values():
                    _without_validation_error(operation)
                    if secured and path == "/health":
                        operation["security"] = []
            for name in ("HTTPValidationError", "ValidationError"):
                parts["schemas"].pop(name, None)
            if secured:
                parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
                schema["security"] = [{"key": []}]
        return schema_of(app)

    app.openapi = openapi  # type: ignore[method-assign]


def schema_of(app: FastAPI) -> dict[str, Any]:
    """Return what was described."""
    assert app.openapi_schema is not None
    return app.openapi_schema


def _without_validation_error(operation: dict[str, Any]) -> None:
    """Drop FastAPI's 422: what it means is answered 400 here."""
    answer = operation["responses"].get("422")
    if answer and "application/json" in answer.get("content", {}):
        del operation["responses"]["422"]
