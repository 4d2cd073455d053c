"""What `equip` puts around an app: ids, log lines, the token, limits, metrics."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message, Receive, Scope, Send

from sutra_service.context import request_id
from sutra_service.web.body_limit import Arriving, BodyLimit
from sutra_service.web.lifecycle import Stage
from sutra_service.web.metrics import Metrics
from sutra_service.web.serve import JsonFormatter
from sutra_service.web.service import NO_TELEMETRY, equip
from untraced import is_traced

pytestmark = pytest.mark.anyio

KEY = "0123456789abcdef"


def app_with(**options: Any) -> FastAPI:
    app = FastAPI()
    equip(app, Metrics(), **options)

    @app.get("/health")
    async def health() -> str:
        return "ok"

    @app.get("/things/{thing}")
    async def thing(thing: str) -> str:
        return request_id.get()

    @app.put("/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the secret cause")

    return app


def client_of(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


def problem(status: int, title: str, detail: str) -> dict[str, object]:
    return {"type": "about:blank", "title": title, "status": status, "detail": detail}


@pytest.mark.parametrize("header", ["a", "A-1_2.3:4", "x" * 128])
async def test_a_valid_id_is_kept(header: str) -> None:
    async with client_of(app_with()) as client:
        answer = await client.get("/things/1", headers={"X-Request-ID": header})
    assert answer.json() == answer.headers["x-request-id"] == header


@pytest.mark.parametrize("header", [None, "", "x" * 129, "a b", 'a"b', "é", "a\tb"])
async def test_another_id_is_made(header: str | None) -> None:
    headers = [] if header is None else [(b"X-Request-ID", header.encode())]
    async with client_of(app_with()) as client:
        answers = [await client.get("/things/1", headers=headers) for _ in range(2)]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == 2
    assert all(len(value) == 32 and set(value) <= set("0123456789abcdef") for value in ids)
    assert request_id.get() == ""


@pytest.mark.parametrize(
    ("path", "status"), [("/x", 404), ("/broken", 500), ("/metrics", 200), ("/things/1", 200)]
)
async def test_every_answer_has_an_id(path: str, status: int) -> None:
    async with client_of(app_with()) as client:
        answer = await client.get(path, headers={"X-Request-ID": "abc"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (status, "abc")


async def test_one_line_a_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with client_of(app_with(key=KEY)) as client:
        headers = {"X-Request-ID": "abc", "Authorization": f"Bearer {KEY}"}
        await client.get("/things/a-secret-thing?token=secret", headers=headers)
        await client.get("/a-secret-path", headers=headers)
        await client.request("SECRET", "/things/1", headers=headers)
        await client.get("/things/1", headers={"Authorization": "Bearer secret"})
        await client.get("/health")
    fields = [record.fields for record in caplog.records if record.name == "sutra.request"]  # type: ignore[attr-defined] # from `extra`
    shown = [tuple(line[name] for name in ("method", "route", "status")) for line in fields]
    assert shown == [
        ("GET", "/things/{thing}", 200),
        ("GET", "none", 404),
        ("other", "/things/{thing}", 405),
        ("GET", "none", 401),
    ]
    assert all(line["milliseconds"] >= 0 for line in fields)
    ours = [record for record in caplog.records if record.name != "httpx"]
    everything = "".join(map(JsonFormatter().format, ours))
    assert "secret" not in everything.lower()
    assert KEY not in everything


async def test_an_ill_health_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with client_of(app_with()) as client:
        await client.post("/health")
    ours = [record for record in caplog.records if record.name == "sutra.request"]
    assert [record.fields["status"] for record in ours] == [405]  # type: ignore[attr-defined] # from `extra`


async def test_an_unexpected_error_is_logged_once_with_its_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with client_of(app_with()) as client:
        answer = await client.get("/broken", headers={"X-Request-ID": "abc"})
    assert answer.json() == problem(500, "Internal Server Error", "unexpected error")
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [record.getMessage() for record in errors] == ["unexpected error"]
    assert "the secret cause" in str(errors[0].exc_info)


def test_a_log_line() -> None:
    record = logging.LogRecord("sutra.request", logging.INFO, "", 0, "request", None, None)
    record.fields = {"status": 200}
    token = request_id.set("abc")
    line = json.loads(JsonFormatter().format(record))
    request_id.reset(token)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "sutra.request",
        "message": "request",
        "request_id": "abc",
        "status": 200,
    }


@pytest.mark.parametrize("header", [f"Bearer {KEY}", f"bearer {KEY}", f"BEARER  {KEY} "])
async def test_the_right_token(header: str) -> None:
    async with client_of(app_with(key=KEY)) as client:
        answer = await client.get("/things/1", headers={"Authorization": header})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header",
    [KEY, f"Basic {KEY}", "Bearer", "Bearer ", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", "Bearer é"],
)
async def test_a_wrong_token(header: str) -> None:
    async with client_of(app_with(key=KEY)) as client:
        headers = [(b"Authorization", header.encode("latin-1"))]
        answer = await client.get("/things/1", headers=headers)
    assert answer.json() == problem(401, "Unauthorized", "the bearer token is wrong")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == 'Bearer realm="sutra", error="invalid_token"'


async def test_two_tokens_are_wrong() -> None:
    async with client_of(app_with(key=KEY)) as client:
        headers = [("Authorization", f"Bearer {KEY}")] * 2
        assert (await client.get("/things/1", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "path", ["/things/1", "/metrics", "/openapi.json", "/no-such", "/health/", "/live/"]
)
async def test_no_token(path: str) -> None:
    async with client_of(app_with(key=KEY)) as client:
        answer = await client.get(path)
    detail = "needs the header Authorization: Bearer KEY"
    assert answer.json() == problem(401, "Unauthorized", detail)
    assert answer.headers["www-authenticate"] == 'Bearer realm="sutra"'


async def test_probes_are_open() -> None:
    async with client_of(app_with(key=KEY)) as client:
        assert (await client.get("/health")).json() == "ok"
        assert (await client.get("/live")).json() == {"status": "ok"}
        answer = await client.get("/live?x=1")
    assert answer.json() == problem(400, "Bad Request", "query: unknown parameter, known: none")


async def test_head_is_get_without_a_body(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with client_of(app_with()) as client:
        answer = await client.head("/things/1", headers={"X-Request-ID": "abc"})
        wrong = await client.head("/size")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len('"abc"'))
    assert (wrong.status_code, wrong.content, wrong.headers["allow"]) == (405, b"", "PUT")
    lines = [record.fields for record in caplog.records if record.name == "sutra.request"]  # type: ignore[attr-defined] # from `extra`
    assert [(line["method"], line["route"]) for line in lines] == [
        ("HEAD", "/things/{thing}"),
        ("HEAD", "/size"),
    ]


@pytest.mark.parametrize(
    ("stage", "statuses"),
    [
        (Stage.SERVING, {"/health": 200, "/live": 200, "/things/1": 200}),
        (Stage.DRAINING, {"/health": 503, "/live": 200, "/things/1": 200}),
        (Stage.CLOSING, {"/health": 503, "/live": 200, "/things/1": 503}),
    ],
)
async def test_the_stages_of_a_stop(stage: Stage, statuses: dict[str, int]) -> None:
    app = app_with()
    app.state.lifecycle.stage = stage
    async with client_of(app) as client:
        answers = {path: await client.get(path) for path in statuses}
    assert {path: answer.status_code for path, answer in answers.items()} == statuses
    close = None if stage is Stage.SERVING else "close"
    assert {answer.headers.get("connection") for answer in answers.values()} == {close}


async def chunks(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b"x" * size


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_the_limit(chunked: bool) -> None:
    async with client_of(app_with(max_body=10)) as client:
        answer = await client.put("/size", content=chunks(9, 1) if chunked else b"x" * 10)
    assert answer.json() == 10


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit(chunked: bool) -> None:
    async with client_of(app_with(max_body=10)) as client:
        answer = await client.put("/size", content=chunks(9, 2) if chunked else b"x" * 11)
    expected = problem(413, "Content Too Large", "body: must be at most 10 bytes")
    assert (answer.status_code, answer.json()) == (413, expected)


async def test_a_limit_of_its_own() -> None:
    async with client_of(app_with(max_body=1, max_bodies={"/size": 10})) as client:
        assert (await client.put("/size", content=b"x" * 10)).json() == 10


async def test_a_body_that_does_not_arrive() -> None:
    async def late() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(60)
        yield b"x"

    async with client_of(app_with(body_seconds=0.1)) as client:
        answer = await client.put("/size", content=late())
    expected = problem(408, "Request Timeout", "body: must arrive within 0.1 s")
    assert (answer.status_code, answer.json()) == (408, expected)


def sending(size: int, go_on: asyncio.Event) -> Receive:
    """Return a `receive` that gives all but the last byte at once, and that when told."""
    parts = [{"type": "http.request", "body": b"x" * (size - 1), "more_body": True}]

    async def receive() -> Message:
        if parts:
            return parts.pop()
        await go_on.wait()
        return {"type": "http.request", "body": b"x", "more_body": False}

    return receive


async def test_bodies_arrive_in_bounded_memory() -> None:
    """Of five bodies of ten bytes, in room for 35, the first two make room for the others."""
    seen: list[int] = []

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        seen.append(len((await receive())["body"]))

    answers: dict[int, list[Message]] = {number: [] for number in range(5)}
    arriving = Arriving(most_bytes=35)
    limit = BodyLimit(app, arriving=arriving)
    go_on = asyncio.Event()

    async def send_one(number: int) -> None:
        async def keep(message: Message) -> None:
            answers[number].append(message)

        scope = {"type": "http", "path": "/", "headers": [(b"content-length", b"10")]}
        await limit(scope, sending(10, go_on), keep)

    tasks = []
    for number in range(5):
        tasks.append(asyncio.create_task(send_one(number)))
        await asyncio.sleep(0.01)
        assert arriving.bytes <= 35
    go_on.set()
    await asyncio.gather(*tasks)
    statuses = [parts[0]["status"] if parts else None for parts in answers.values()]
    assert statuses == [503, 503, None, None, None]
    assert seen == [10, 10, 10]
    assert (arriving.bytes, arriving.bodies) == (0, {})


async def test_one_body_larger_than_the_room_for_all() -> None:
    answer: list[Message] = []

    async def app(_: Scope, __: Receive, ___: Send) -> None:
        raise AssertionError("passed on")

    async def keep(message: Message) -> None:
        answer.append(message)

    scope = {"type": "http", "path": "/", "headers": [(b"transfer-encoding", b"chunked")]}
    arriving = Arriving(most_bytes=5)
    await BodyLimit(app, arriving=arriving)(scope, sending(10, asyncio.Event()), keep)
    assert answer[0]["status"] == 503
    assert (arriving.bytes, arriving.bodies) == (0, {})


async def test_a_client_that_leaves_amid_its_body() -> None:
    async def app(_: Scope, __: Receive, ___: Send) -> None:
        raise AssertionError("passed on")

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def keep(message: Message) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "path": "/", "headers": [(b"content-length", b"10")]}
    await BodyLimit(app)(scope, receive, keep)


async def test_too_many_at_once() -> None:
    app = app_with(max_in_flight=1)
    go_on = asyncio.Event()

    @app.get("/wait")
    async def wait() -> str:
        await go_on.wait()
        return "done"

    async with client_of(app) as client:
        waiting = asyncio.create_task(client.get("/wait"))
        await asyncio.sleep(0.05)
        refused = await client.get("/things/1")
        healthy = await client.get("/health")
        go_on.set()
        assert (await waiting).json() == "done"
        assert (await client.get("/things/1")).status_code == 200
    expected = problem(503, "Service Unavailable", "too many requests at once")
    assert (refused.json(), refused.headers["retry-after"]) == (expected, "1")
    assert healthy.status_code == 200


async def test_metrics() -> None:
    async with client_of(app_with()) as client:
        for path in ("/things/1", "/things/2", '/"\\{', "/broken"):
            await client.get(path)
        answer = await client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    counted = {
        tuple(sample.labels.values()): sample.value
        for sample in families["sutra_http_requests"].samples
    }
    assert counted == {
        ("GET", "/things/{thing}", "200"): 2,
        ("GET", "none", "404"): 1,
        ("GET", "/broken", "500"): 1,
    }
    assert families["sutra_http_requests_in_flight"].samples[0].value == 1
    assert families["process_resident_memory_bytes"].samples[0].value > 1e6
    assert families["process_cpu_seconds"].type == "counter"


@pytest.mark.parametrize(("options", "traced"), [({}, True), ({"telemetry": NO_TELEMETRY}, False)])
async def test_telemetry_is_off_where_an_app_is_made_with_it(
    options: dict[str, Any], traced: bool
) -> None:
    app = FastAPI(**options)
    equip(app, Metrics())
    assert await is_traced(app) == traced
