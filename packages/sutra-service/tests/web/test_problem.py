from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from sutra_service.client.storage import NotFound, StorageRefused, StorageUnavailable
from sutra_service.web.problem import add_handlers

pytestmark = pytest.mark.anyio


class Body(BaseModel):
    numbers: list[int]


def app_raising(error: Exception | None = None) -> FastAPI:
    app = FastAPI()
    add_handlers(app)

    @app.get("/raise")
    async def raise_it() -> None:
        assert error
        raise error

    @app.put("/body")
    async def take(body: Body) -> Body:
        return body

    return app


async def ask(app: FastAPI, method: str, path: str, **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path, **options)


def problem(status: int, title: str, detail: str) -> dict[str, object]:
    return {"type": "about:blank", "title": title, "status": status, "detail": detail}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (HTTPException(409, "taken"), problem(409, "Conflict", "taken")),
        (NotFound(problem(404, "Not Found", "no x")), problem(404, "Not Found", "no x")),
        (StorageRefused(problem(413, "Too Long", "no")), problem(413, "Too Long", "no")),
        (
            StorageRefused(problem(500, "Oops", "disk /dev/x")),
            problem(502, "Bad Gateway", "storage failed"),
        ),
        (
            StorageUnavailable("10.0.0.1 refused"),
            problem(503, "Service Unavailable", "storage does not answer"),
        ),
        (
            RuntimeError("the secret cause"),
            problem(500, "Internal Server Error", "unexpected error"),
        ),
    ],
)
async def test_errors(error: Exception, expected: dict[str, object]) -> None:
    answer = await ask(app_raising(error), "GET", "/raise")
    assert answer.json() == expected
    assert answer.status_code == expected["status"]
    assert answer.headers["content-type"] == "application/problem+json"


async def test_no_route_and_wrong_method() -> None:
    app = app_raising()
    assert (await ask(app, "GET", "/x")).json() == problem(404, "Not Found", "Not Found")
    answer = await ask(app, "POST", "/raise")
    assert answer.json() == problem(405, "Method Not Allowed", "Method Not Allowed")
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"{}", "body.numbers: field required"),
        (b"{", "body: not JSON at character 1"),
        (b"[" * 200_000, "body: nested too deep"),
        (b"\xff", "There was an error parsing the body"),
        (
            b'{"numbers":["secret",1,"x"]}',
            "body.numbers.0: input should be a valid integer, unable to parse string as an integer"
            "; body.numbers.2: "
            "input should be a valid integer, unable to parse string as an integer",
        ),
    ],
)
async def test_invalid_bodies(content: bytes, detail: str) -> None:
    json_type = {"content-type": "application/json"}
    answer = await ask(app_raising(), "PUT", "/body", content=content, headers=json_type)
    assert answer.status_code == 400
    assert answer.json() == problem(400, "Bad Request", detail)


async def test_many_errors_are_cut() -> None:
    answer = await ask(app_raising(), "PUT", "/body", json={"numbers": ["x"] * 13})
    parts = answer.json()["detail"].split("; ")
    assert len(parts) == 11
    assert parts[-1] == "3 more"
