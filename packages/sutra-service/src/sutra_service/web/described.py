"""The OpenAPI description: what FastAPI cannot know of errors, limits and the token."""

from typing import Any

from fastapi import FastAPI

from sutra_service.web.lifecycle import PROBES

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
    415: "The body is not called by its right Content-Type.",
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
            schema = app.openapi_schema = describe()
            parts = schema["components"]
            parts["schemas"]["Problem"] = PROBLEM
            for name in ("HTTPValidationError", "ValidationError"):
                parts["schemas"].pop(name, None)
            for path, operations in schema["paths"].items():
                for operation in operations.values():
                    _correct(path, operation)
            if secured:
                parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
                schema["security"] = [{"key": []}]
                for path in PROBES & schema["paths"].keys():
                    schema["paths"][path]["get"]["security"] = []
        return app.openapi_schema

    # FastAPI's own way to change its description ("Extending OpenAPI")
    app.openapi = openapi  # type: ignore[method-assign]


def _correct(path: str, operation: dict[str, Any]) -> None:
    """Drop FastAPI's own 422, which is answered 400 here, and say what /metrics answers."""
    responses = operation["responses"]
    if "application/json" in responses.get("422", {}).get("content", {}):
        del responses["422"]
    if path == "/metrics":
        text = {"text/plain": {"schema": {"type": "string"}}}
        responses["200"]["content"] = text
        responses |= {str(status): answer for status, answer in errors().items()}
