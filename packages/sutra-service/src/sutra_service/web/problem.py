"""Errors as problem+json (RFC 9457): one shape for everything that both services refuse."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Match, Route

from sutra_service.client.errors import StorageRefused, StorageUnavailable

logger = logging.getLogger(__name__)

MAX_ERRORS = 10
# Most characters and levels of a field's name that an answer repeats: callers choose names.
MAX_NAME = 64
MAX_PARTS = 8


class ProblemResponse(JSONResponse):
    """A JSON body with type, title, status and detail."""

    media_type = "application/problem+json"


# RFC 9110's names of these; Python had older ones until 3.13.
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}


class Refusal(HTTPException):
    """A problem of a kind of its own; `more` are further members of its body."""

    def __init__(self, status: int, kind: str, title: str, detail: str, **more: Any) -> None:
        """Name the kind as in `urn:sutra:problem:KIND`."""
        super().__init__(status, detail)
        self.body = {
            "type": f"urn:sutra:problem:{kind}",
            "title": title,
            "status": status,
            "detail": detail,
            **more,
        }


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> ProblemResponse:
    """Return the problem with this status; its title is the name of the status."""
    body = {
        "type": "about:blank",
        "title": TITLES.get(status) or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return ProblemResponse(body, status, headers)


def add_handlers(app: FastAPI) -> None:
    """Make every error of `app` a problem."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(StorageRefused, _refused)
    app.add_exception_handler(StorageUnavailable, _unavailable)
    app.add_exception_handler(Exception, _unexpected)


async def _invalid(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RequestValidationError)
    problems = error.errors()
    if any(item["loc"] == ("body",) for item in problems) and not _called_json(request):
        return problem(415, "body: must have the Content-Type application/json")
    lines = [_describe(item) for item in problems[:MAX_ERRORS]]
    if len(problems) > MAX_ERRORS:
        lines.append(f"{len(problems) - MAX_ERRORS} more")
    return problem(400, "; ".join(lines))


def _called_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _describe(item: Mapping[str, Any]) -> str:
    """Return `where: what`, without the value: it may be huge or secret."""
    if item["type"] == "json_invalid":
        return f"body: not JSON at character {item['loc'][-1]}"
    where = ".".join(str(part)[:MAX_NAME] for part in item["loc"][:MAX_PARTS])
    message = item["msg"].removeprefix("Value error, ")
    return f"{where}: {message[:1].lower()}{message[1:]}"


async def _http(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)
    if isinstance(error, Refusal):
        return ProblemResponse(error.body, error.status_code)
    if error.status_code == 405:
        return problem(405, error.detail, {"Allow": ", ".join(_methods(request))})
    # FastAPI's cause of "There was an error parsing the body"; Python 3.11 ends at 1,000 levels
    if isinstance(error.__cause__, RecursionError):
        return problem(error.status_code, "body: nested too deep")
    return problem(error.status_code, error.detail, error.headers)


def _methods(request: Request) -> list[str]:
    """Return every method that this path takes: Starlette tells those of one route only."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    fitting = (route for route in routes if route.matches(request.scope)[0] != Match.NONE)
    methods = {method for route in fitting for method in route.methods or ()}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


async def _refused(_: Request, error: Exception) -> ProblemResponse:
    """Pass on what the caller can fix (4xx) or wait for (503); the rest is the storage's fault."""
    assert isinstance(error, StorageRefused)
    status = error.problem["status"]
    if status >= 500:
        logger.warning("storage failed: %s", error)
    if status < 500 or status == 503:
        headers = {"Retry-After": error.retry_after} if error.retry_after else None
        return ProblemResponse(error.problem, status, headers)
    return problem(502, "storage failed")


async def _unavailable(_: Request, error: Exception) -> ProblemResponse:
    logger.warning("storage unavailable: %s", error)
    return problem(503, "storage does not answer", {"Retry-After": "1"})


async def _unexpected(_: Request, __: Exception) -> ProblemResponse:
    """Say nothing of the cause: the server logs the traceback."""
    return problem(500, "unexpected error")
