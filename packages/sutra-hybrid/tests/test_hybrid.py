import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest

from fake_storage import FakeStorage
from sutra_client.storage import Concept
from sutra_hybrid import refresh
from sutra_hybrid.app import create_app
from sutra_hybrid.index import Index

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def serving(fake: FakeStorage) -> AsyncIterator[httpx.AsyncClient]:
    """Run the service; it refreshes at its start, then only when asked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SUTRA_STORAGE_URL", raising=False)
        patch.setenv("SUTRA_REFRESH_SECONDS", "3600")
        app = create_app(fake)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://hybrid") as client,
    ):
        yield client


@pytest.fixture
async def hybrid(fake: FakeStorage) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(fake) as client:
        yield client


def problem(status: int, title: str, detail: str) -> dict[str, object]:
    return {"type": "about:blank", "title": title, "status": status, "detail": detail}


DOWN = problem(503, "Service Unavailable", "storage does not answer")


async def test_health_waits_for_the_first_refresh(
    fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def build(_: Iterable[Concept]) -> Index:
        assert go_on.wait(10)
        return Index()

    monkeypatch.setattr(refresh, "build", build)
    async with serving(fake) as hybrid:
        try:
            answer = await hybrid.get("/health")
            detail = "the first refresh of the index has not ended"
            assert answer.json() == problem(503, "Service Unavailable", detail)
        finally:
            go_on.set()
        async with asyncio.timeout(5):
            while (answer := await hybrid.get("/health")).status_code != 200:
                await asyncio.sleep(0.01)
        assert answer.json() == {"status": "ok", "storage": "ok"}


async def test_health_after_a_first_refresh_that_failed(fake: FakeStorage) -> None:
    fake.down = True
    async with serving(fake) as hybrid:
        assert (await hybrid.post("/refresh")).status_code == 503
        fake.down = False
        assert (await hybrid.get("/health")).status_code == 200


async def test_storage_down(hybrid: httpx.AsyncClient, fake: FakeStorage) -> None:
    fake.add("a", "cat")
    await hybrid.post("/refresh")
    fake.down = True
    for method, path in (("GET", "/health"), ("POST", "/refresh")):
        answer = await hybrid.request(method, path)
        assert (answer.status_code, answer.json()) == (503, DOWN)
        assert answer.headers["content-type"] == "application/problem+json"
    answer = await hybrid.post("/similar", json={"text": "cat"})
    assert answer.json()["matches"] == [{"id": "a", "text": "cat", "score": 1.0}]


async def test_health_is_fast_when_the_storage_hangs(
    hybrid: httpx.AsyncClient, fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError("not cancelled")

    monkeypatch.setattr(fake, "handle_async_request", hang)
    start = time.monotonic()
    answer = await hybrid.get("/health")
    assert (answer.status_code, answer.json()) == (503, DOWN)
    assert time.monotonic() - start < 2


async def test_before_the_first_index(fake: FakeStorage) -> None:
    fake.down = True
    async with serving(fake) as hybrid:
        answer = await hybrid.post("/similar", json={"text": "cat", "k": 3})
    assert answer.status_code == 200
    assert answer.json() == {"matches": [], "index": {"concepts": 0, "built_at": None}}


async def test_an_empty_storage(hybrid: httpx.AsyncClient) -> None:
    await hybrid.post("/refresh")
    body = (await hybrid.post("/similar", json={"text": "cat"})).json()
    assert (body["matches"], body["index"]["concepts"]) == ([], 0)
    assert body["index"]["built_at"]


async def test_refresh_then_similar(hybrid: httpx.AsyncClient, fake: FakeStorage) -> None:
    for concept_id, text in (("c/1", "a red cat"), ("c/2", "a cat"), ("d", "two dogs")):
        fake.add(concept_id, text)
    before = datetime.now(UTC)
    answer = await hybrid.post("/refresh")
    assert answer.status_code == 200
    index = answer.json()["index"]
    assert index["concepts"] == 3
    assert before <= datetime.fromisoformat(index["built_at"]) <= datetime.now(UTC)
    body = (await hybrid.post("/similar", json={"text": "cat", "k": 2})).json()
    assert [(match["id"], match["text"]) for match in body["matches"]] == [
        ("c/2", "a cat"),
        ("c/1", "a red cat"),
    ]
    assert body["index"] == index


async def test_a_rebuild_blocks_no_answer(
    hybrid: httpx.AsyncClient, fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.add("a", "cat")
    await hybrid.post("/refresh")
    real, started, go_on = refresh.build, threading.Event(), threading.Event()

    def build(concepts: Iterable[Concept]) -> Index:
        started.set()
        assert go_on.wait(10)
        return real(concepts)

    monkeypatch.setattr(refresh, "build", build)
    fake.add("b", "cat")
    refreshing = asyncio.create_task(hybrid.post("/refresh"))
    try:
        assert await asyncio.to_thread(started.wait, 10)
        async with asyncio.timeout(2):
            body = (await hybrid.post("/similar", json={"text": "cat"})).json()
            assert (await hybrid.get("/health")).status_code == 200
        assert [match["id"] for match in body["matches"]] == ["a"]
        assert not refreshing.done()
    finally:
        go_on.set()
    assert (await refreshing).json()["index"]["concepts"] == 2
    body = (await hybrid.post("/similar", json={"text": "cat"})).json()
    assert [match["id"] for match in body["matches"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "body.text: field required"),
        ({"text": "x", "k": 0}, "body.k: input should be greater than or equal to 1"),
        ({"text": "x", "k": 101}, "body.k: input should be less than or equal to 100"),
        ({"text": "x", "k": "5"}, "body.k: input should be a valid integer"),
        ({"text": "x", "n": 1}, "body.n: extra inputs are not permitted"),
        ({"text": "x" * 65_537}, "body.text: must be at most 65536 bytes, is 65537"),
    ],
)
async def test_bad_questions(
    hybrid: httpx.AsyncClient, body: dict[str, object], detail: str
) -> None:
    answer = await hybrid.post("/similar", json=body)
    assert answer.status_code == 400
    assert answer.json() == problem(400, "Bad Request", detail)


async def test_no_route_and_wrong_method(hybrid: httpx.AsyncClient) -> None:
    assert (await hybrid.get("/x")).json() == problem(404, "Not Found", "Not Found")
    answer = await hybrid.get("/similar")
    assert answer.json() == problem(405, "Method Not Allowed", "Method Not Allowed")
