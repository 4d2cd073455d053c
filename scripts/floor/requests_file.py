"""Read the requests that a service is sent while its files are traced, and send them.

A line each: `GET /documents` or `POST /documents {"title": "a"}`; `#` begins a comment.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.common.errors import SutraError

LINE = re.compile(r"(GET|HEAD|POST|PUT|PATCH|DELETE) (/[!-~]*)(?: (.+))?")
SECONDS = 30
TIP = 'a line is a method, a path and perhaps a JSON body, such as `POST /search {"text": "a"}`'


@dataclass(frozen=True)
class Request:
    """One HTTP request; a body is JSON."""

    method: str
    path: str
    body: str = ""


@dataclass(frozen=True)
class Answer:
    """The status that a request was answered with."""

    request: Request
    status: int


def read(file: Path) -> list[Request]:
    """Return the requests in a file. Raises SutraError for a line that is not one."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise SutraError(f"{file}: cannot be read: {reason}", "check REQUESTS=…") from error
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = LINE.fullmatch(line.strip())
        if match is None:
            raise SutraError(f'{file}: line {number}: not a request "{line}"', TIP)
        found.append(Request(match[1], match[2], match[3] or ""))
    return found


def send(address: tuple[str, int], requests: Sequence[Request]) -> list[Answer]:
    """Send all requests, one after another. Raises SutraError for one without an answer."""
    return [Answer(request, _status(address, request)) for request in requests]


def _status(address: tuple[str, int], request: Request) -> int:
    connection = http.client.HTTPConnection(*address, timeout=SECONDS)
    headers = {"Content-Type": "application/json"} if request.body else {}
    try:
        connection.request(request.method, request.path, request.body.encode() or None, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException) as error:
        reason = str(error) or type(error).__name__
        raise SutraError(
            f"floor: no answer to {request.method} {request.path}: {reason}",
            "`make verify-runtime` shows whether the service works",
        ) from error
    finally:
        connection.close()
