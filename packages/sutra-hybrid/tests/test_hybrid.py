import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from fake_storage import FakeStorage
from sutra_hybrid import builder
from sutra_hybrid import snapshot as snapshot_module
from sutra_hybrid.app import create_app
from sutra_hybrid.builder import build
from sutra_hybrid.index import Index
from untraced import is_traced

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}


@asynccontextmanager
async def serving(fake: FakeStorage, **variables: str) -> AsyncIterator[httpx.AsyncClient]:
    """Run the service; it refreshes at its start, then only when asked."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SUTRA_STORAGE_URL", "SUTRA_API_KEY", "SUTRA_MAX_CONCEPTS"):
            patch.delenv(name, raising=False)
        for name, value in {"SUTRA_REFRESH_SECONDS": "3600", **variables}.items():
            patch.setenv(name, value)
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


def failed(why: str) -> dict[str, object]:
    return {
        "type": "urn:sutra:problem:index-failed",
        "title": "Index failed",
        "status": 503,
        "detail": f"no new index: {why}",
        "index": "failed",
    }


DOWN = problem(503, "Service Unavailable", "storage does not answer")


@asynccontextmanager
async def build_that_waits(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[threading.Event]:
    """Let builds wait until the block is left; the event says that one has begun."""
    started, go_on = threading.Event(), threading.Event()

    def waiting(texts: list[str]) -> Index:
        started.set()
        assert go_on.wait(20)
        return build(texts)

    monkeypatch.setattr("sutra_hybrid.builder.build", waiting)
    try:
        yield started
    finally:
        go_on.set()


async def test_health_does_not_wait_for_the_first_index(
    fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with build_that_waits(monkeypatch), serving(fake) as hybrid:
        answer = await hybrid.get("/health")
        assert answer.status_code == 200
        assert answer.json() == {"status": "ok", "storage": "ok", "index": "building"}
    async with serving(fake) as hybrid:
        await hybrid.post("/refresh")
        answer = await hybrid.get("/health")
        assert answer.json() == {"status": "ok", "storage": "ok", "index": "ready"}


async def test_questions_before_the_first_index_wait_for_it(fake: FakeStorage) -> None:
    fake.add("a", "cat")
    async with serving(fake) as hybrid:
        body = (await hybrid.post("/ask", json={"text": "cat"})).json()
    assert (body["answer"], body["confidence"]) == ("cat", 1.0)


async def test_without_a_first_index(fake: FakeStorage) -> None:
    fake.down = True
    async with serving(fake) as hybrid:
        for path in ("/similar", "/ask"):
            answer = await hybrid.post(path, json={"text": "cat"})
            detail = "no index yet: all connection attempts failed"
            assert answer.json() == problem(503, "Service Unavailable", detail)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
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
    assert (await hybrid.post("/ask", json={"text": "cat"})).json()["answer"] == "cat"
    fake.down = False
    assert (await hybrid.get("/health")).status_code == 200


async def test_it_recovers_by_itself(fake: FakeStorage) -> None:
    fake.down = True
    async with serving(fake, SUTRA_REFRESH_SECONDS="0.1") as hybrid, asyncio.timeout(20):
        assert (await hybrid.post("/ask", json={"text": "cat"})).status_code == 503
        fake.add("a", "cat")
        fake.down = False
        while (answer := await hybrid.post("/ask", json={"text": "cat"})).status_code != 200:
            await asyncio.sleep(0.05)
        assert answer.json()["answer"] == "cat"


async def test_health_is_fast_when_the_storage_hangs(
    hybrid: httpx.AsyncClient, fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError("not cancelled")

    await hybrid.post("/refresh")
    monkeypatch.setattr(fake, "handle_async_request", hang)
    start = time.monotonic()
    answer = await hybrid.get("/health")
    assert (answer.status_code, answer.json()) == (503, DOWN)
    assert time.monotonic() - start < 2


async def test_an_empty_storage(hybrid: httpx.AsyncClient) -> None:
    await hybrid.post("/refresh")
    similar = (await hybrid.post("/similar", json={"text": "cat"})).json()
    index = similar.pop("index")
    assert similar == {"matches": []}
    assert datetime.fromisoformat(index.pop("built_at")) <= datetime.now(UTC)
    assert index == {"concepts": 0, "associations": 0, "revision": 0, "complete": True}
    ask = (await hybrid.post("/ask", json={"text": "cat"})).json()
    del ask["index"]
    assert ask == {"answer": None, "id": None, "confidence": 0.0, "path": [], "matches": []}


async def test_refresh_then_similar(hybrid: httpx.AsyncClient, fake: FakeStorage) -> None:
    for concept_id, text in (("c/1", "a red cat"), ("c/2", "a cat"), ("d", "two dogs")):
        fake.add(concept_id, text)
    before = datetime.now(UTC)
    answer = await hybrid.post("/refresh")
    assert answer.status_code == 200
    index = answer.json()["index"]
    assert (index["concepts"], index["revision"]) == (3, 3)
    assert before <= datetime.fromisoformat(index["built_at"]) <= datetime.now(UTC)
    body = (await hybrid.post("/similar", json={"text": "cat", "k": 2})).json()
    assert [(match["id"], match["text"]) for match in body["matches"]] == [
        ("c/2", "a cat"),
        ("c/1", "a red cat"),
    ]
    assert body["index"] == index


async def test_an_answer_has_its_path(hybrid: httpx.AsyncClient, fake: FakeStorage) -> None:
    fake.add("fr", "France")
    fake.add("pa", "Paris")
    fake.link("pa", "fr", "capital_of", 0.75)
    await hybrid.post("/refresh")
    body = (await hybrid.post("/ask", json={"text": "Paris is the capital of?"})).json()
    assert body.pop("index")["associations"] == 1
    assert body == {
        "answer": "France",
        "id": "fr",
        "confidence": 0.75,
        "path": [
            {"id": "pa", "text": "Paris", "kind": None, "weight": None, "direction": None},
            {
                "id": "fr",
                "text": "France",
                "kind": "capital_of",
                "weight": 0.75,
                "direction": "forward",
            },
        ],
        "matches": [{"id": "pa", "text": "Paris", "score": 1.0}],
    }
    body = (await hybrid.post("/ask", json={"text": "capital of France"})).json()
    assert (body["id"], body["path"][1]["direction"]) == ("pa", "backward")


async def test_over_a_limit_an_answer_says_so(fake: FakeStorage) -> None:
    fake.add("a", "cat")
    fake.add("b", "cat")
    async with serving(fake, SUTRA_MAX_CONCEPTS="1") as hybrid:
        body = (await hybrid.post("/similar", json={"text": "cat"})).json()
    assert [match["id"] for match in body["matches"]] == ["a"]
    assert body["index"]["complete"] is False


async def test_a_rebuild_blocks_no_answer(
    hybrid: httpx.AsyncClient, fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.add("a", "cat")
    await hybrid.post("/refresh")
    fake.add("b", "cat")
    async with build_that_waits(monkeypatch) as started:
        refreshing = asyncio.create_task(hybrid.post("/refresh"))
        assert await asyncio.to_thread(started.wait, 20)
        body = (await hybrid.post("/similar", json={"text": "cat"})).json()
        assert (await hybrid.get("/health")).status_code == 200
        assert [match["id"] for match in body["matches"]] == ["a"]
        assert not refreshing.done()
    assert (await refreshing).json()["index"]["concepts"] == 2
    body = (await hybrid.post("/similar", json={"text": "cat"})).json()
    assert [match["id"] for match in body["matches"]] == ["a", "b"]


async def test_a_failed_build_keeps_the_old_index(
    hybrid: httpx.AsyncClient, fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.add("a", "cat")
    await hybrid.post("/refresh")
    fake.add("a", "dog")

    def fail(*_: object) -> Index:
        raise RuntimeError("out of memory")

    monkeypatch.setattr("sutra_hybrid.builder.build", fail)
    for ready in (True, True, False):
        answer = await hybrid.post("/refresh")
        assert (answer.status_code, answer.json()) == (503, failed("unexpected error"))
        assert answer.headers["content-type"] == "application/problem+json"
        health = await hybrid.get("/health")
        assert health.status_code == (200 if ready else 503)
    assert health.json() == failed("unexpected error")
    assert (await hybrid.post("/ask", json={"text": "cat"})).json()["answer"] == "cat"
    monkeypatch.setattr("sutra_hybrid.builder.build", build)
    assert (await hybrid.post("/refresh")).status_code == 200
    assert (await hybrid.get("/health")).json()["index"] == "ready"


async def test_a_builder_that_is_always_killed_is_reported_at_a_cold_start(
    fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.add("a", "cat")
    monkeypatch.setattr(builder, "SMALL", 0)
    monkeypatch.setattr(builder, "COMMAND", ("-c", "import os; os.kill(os.getpid(), 9)"))
    async with serving(fake, SUTRA_REFRESH_SECONDS="0.1") as hybrid, asyncio.timeout(20):
        while (health := await hybrid.get("/health")).status_code == 200:
            assert health.json()["index"] == "building"
            await asyncio.sleep(0.05)
        assert (health.status_code, health.json()) == (503, failed(builder.KILLED))
        answer = await hybrid.post("/ask", json={"text": "cat"})
        detail = f"no index yet: {builder.KILLED}"
        assert answer.json() == problem(503, "Service Unavailable", detail)


@pytest.mark.parametrize("path", ["/similar", "/ask"])
@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "body.text: field required"),
        ({"text": "x", "k": 0}, "body.k: input should be greater than or equal to 1"),
        ({"text": "x", "k": 101}, "body.k: input should be less than or equal to 100"),
        ({"text": "x", "k": "5"}, "body.k: input should be a valid integer"),
        ({"text": "x", "k": 1.5}, "body.k: input should be a valid integer"),
        ({"text": "x", "n": 1}, "body.n: extra inputs are not permitted"),
        ({"text": "x" * 65_537}, "body.text: must be at most 65536 bytes, is 65537"),
    ],
)
async def test_bad_questions(
    hybrid: httpx.AsyncClient, path: str, body: dict[str, object], detail: str
) -> None:
    answer = await hybrid.post(path, json=body)
    assert answer.status_code == 400
    assert answer.json() == problem(400, "Bad Request", detail)


async def test_a_whole_number_may_have_a_decimal_point(hybrid: httpx.AsyncClient) -> None:
    answer = await hybrid.post("/similar", content=b'{"text": "x", "k": 5.0}', headers=JSON)
    assert answer.status_code == 200


async def test_the_largest_text_and_a_body_too_large(
    hybrid: httpx.AsyncClient, fake: FakeStorage
) -> None:
    assert (await hybrid.post("/ask", json={"text": "x" * 65_536})).status_code == 200
    answer = await hybrid.post("/ask", content=b" " * 524_289, headers=JSON)
    title, detail = "Request Entity Too Large", "body: must be at most 524288 bytes"
    assert (answer.status_code, answer.json()["detail"]) == (413, detail)
    assert answer.json()["title"] in {title, "Content Too Large"}  # Python 3.13 renamed it


async def test_no_route_and_wrong_method_and_query(hybrid: httpx.AsyncClient) -> None:
    assert (await hybrid.get("/x")).json() == problem(404, "Not Found", "Not Found")
    answer = await hybrid.get("/similar")
    assert answer.json() == problem(405, "Method Not Allowed", "Method Not Allowed")
    assert answer.headers["allow"] == "POST"
    answer = await hybrid.get("/health?x=1")
    assert answer.json() == problem(400, "Bad Request", "query: unknown parameter, known: none")


KEY = "k" * 16


async def test_the_token(fake: FakeStorage) -> None:
    async with serving(fake, SUTRA_API_KEY=KEY) as hybrid:
        assert (await hybrid.get("/health")).status_code == 200
        requests: list[tuple[str, str, Any]] = [
            ("POST", "/ask", {"text": "x"}),
            ("POST", "/similar", {"text": "x"}),
            ("POST", "/refresh", None),
            ("GET", "/metrics", None),
            ("GET", "/openapi.json", None),
        ]
        for method, path, body in requests:
            answer = await hybrid.request(method, path, json=body)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (
                401,
                'Bearer realm="sutra"',
            )
            headers = {"Authorization": f"Bearer {KEY}"}
            answer = await hybrid.request(method, path, json=body, headers=headers)
            assert answer.status_code == 200


async def test_the_id_of_a_request(hybrid: httpx.AsyncClient, fake: FakeStorage) -> None:
    answer = await hybrid.post("/refresh", headers={"X-Request-ID": "mine"})
    assert answer.headers["x-request-id"] == "mine"
    assert {headers.get("x-request-id") for headers in fake.headers} >= {"mine"}


async def metrics(client: httpx.AsyncClient) -> dict[str, float]:
    text = (await client.get("/metrics")).text
    return {
        f"{sample.name}{sample.labels or ''}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("sutra_index")
    }


async def test_metrics(fake: FakeStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.link("a", "b")
    async with build_that_waits(monkeypatch) as started, serving(fake) as hybrid:
        assert await asyncio.to_thread(started.wait, 20)
        assert await metrics(hybrid) == {"sutra_index_storage_up": 1}
    async with serving(fake) as hybrid:
        await hybrid.post("/similar", json={"text": "x"})
        figures = await metrics(hybrid)
        assert figures.pop("sutra_index_built_timestamp_seconds") == pytest.approx(
            time.time(), abs=60
        )
        assert figures.pop("sutra_index_build_seconds") >= 0
        assert figures == {
            "sutra_index_builds_total{'index': 'new'}": 1,
            "sutra_index_storage_up": 1,
            "sutra_index_concepts": 2,
            "sutra_index_associations": 1,
            "sutra_index_complete": 1,
        }
        fake.down = True
        await hybrid.post("/refresh")
        assert (await metrics(hybrid))["sutra_index_storage_up"] == 0


def test_numpy_and_sklearn_are_loaded_by_the_first_build_only() -> None:
    """What `make` imports inside must not be imported by the module."""
    assert not {"build", "Graph", "Index"} & set(vars(snapshot_module))


async def test_no_request_is_traced(fake: FakeStorage) -> None:
    assert not await is_traced(create_app(fake))
