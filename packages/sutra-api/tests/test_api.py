import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from fake_storage import FakeStorage
from sutra_api.app import create_app

pytestmark = pytest.mark.anyio


@pytest.fixture
async def api(
    fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.delenv("SUTRA_STORAGE_URL", raising=False)
    app = create_app(fake)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api") as client,
    ):
        yield client


def problem(status: int, title: str, detail: str) -> dict[str, object]:
    return {"type": "about:blank", "title": title, "status": status, "detail": detail}


DOWN = problem(503, "Service Unavailable", "storage does not answer")
LINK = {"source": "a", "target": "b", "kind": "is", "weight": 0.5}
ROUTES = [
    ("GET", "/health", None),
    ("PUT", "/concepts/a", {"text": "x"}),
    ("GET", "/concepts/a", None),
    ("DELETE", "/concepts/a", None),
    ("GET", "/concepts", None),
    ("PUT", "/associations", LINK),
    ("GET", "/concepts/a/associations", None),
    ("GET", "/stats", None),
]


async def test_health(api: httpx.AsyncClient) -> None:
    answer = await api.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "storage": "ok"})


async def test_a_concept_from_put_to_delete(api: httpx.AsyncClient) -> None:
    body = {"text": "a cat", "metadata": {"legs": 4, "tags": ["pet", None]}}
    expected = {"id": "cat", **body}
    created = await api.put("/concepts/cat", json=body)
    assert (created.status_code, created.json()) == (201, expected)
    replaced = await api.put("/concepts/cat", json=body)
    assert (replaced.status_code, replaced.json()) == (200, expected)
    found = await api.get("/concepts/cat")
    assert (found.status_code, found.json()) == (200, expected)
    deleted = await api.delete("/concepts/cat")
    assert (deleted.status_code, deleted.content) == (204, b"")
    missing = await api.get("/concepts/cat")
    assert missing.json() == problem(404, "Not Found", 'no concept "cat"')
    assert missing.status_code == (await api.delete("/concepts/cat")).status_code == 404


async def test_metadata_may_be_left_out(api: httpx.AsyncClient) -> None:
    answer = await api.put("/concepts/a", json={"text": ""})
    assert answer.json() == {"id": "a", "text": "", "metadata": {}}


async def test_paging_passes_through(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    for concept_id in ("a", "b/c", "d"):
        fake.add(concept_id, "x")
    first = (await api.get("/concepts?limit=2")).json()
    assert [row["id"] for row in first["concepts"]] == ["a", "b/c"]
    assert first["next"] == "b/c"
    rest = (await api.get("/concepts", params={"after": "b/c", "limit": 2})).json()
    assert rest == {"concepts": [{"id": "d", "text": "x", "metadata": {}}], "next": None}


async def test_associations(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    fake.add("a", "x")
    missing = await api.put("/associations", json=LINK)
    assert missing.json() == problem(404, "Not Found", 'no concept "b"')
    fake.add("b", "y")
    created = await api.put("/associations", json=LINK)
    assert (created.status_code, created.json()) == (201, LINK)
    assert (await api.put("/associations", json=LINK)).status_code == 200
    assert (await api.get("/concepts/a/associations")).json() == {"associations": [LINK]}
    assert (await api.get("/concepts/x/associations")).status_code == 404
    assert (await api.get("/stats")).json() == {"concepts": 2, "associations": 1}


@pytest.mark.parametrize("segment", ["a%2Fassociations", "%2E%2E", "%252F", "100%25", "%C3%A9"])
async def test_an_id_is_one_segment(
    api: httpx.AsyncClient, fake: FakeStorage, segment: str
) -> None:
    assert (await api.put(f"/concepts/{segment}", json={"text": "x"})).status_code == 201
    assert (await api.get(f"/concepts/{segment}")).status_code == 200
    assert (await api.get(f"/concepts/{segment}/associations")).json() == {"associations": []}
    assert (await api.get(f"/concepts/{segment}/x")).status_code == 404
    assert fake.calls[:2] == [f"PUT /concepts/{segment}", f"GET /concepts/{segment}"]


@pytest.mark.parametrize(
    ("segment", "detail"),
    [
        ("%00", "path.concept_id: must not hold control characters"),
        ("%FF", "path.concept_id: must be valid UTF-8"),
        ("a" * 513, "path.concept_id: must be 1 to 512 bytes, is 513"),
    ],
)
async def test_bad_ids(
    api: httpx.AsyncClient, fake: FakeStorage, segment: str, detail: str
) -> None:
    answer = await api.get(f"/concepts/{segment}")
    assert answer.json() == problem(400, "Bad Request", detail)
    assert answer.headers["content-type"] == "application/problem+json"
    assert fake.calls == []


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        ("{}", "body.text: field required"),
        ('{"text":1}', "body.text: input should be a valid string"),
        ('{"text":"x","id":"y"}', "body.id: extra inputs are not permitted"),
        ('{"text":"x","metadata":[]}', "body.metadata: input should be a valid dictionary"),
        ('{"text":"x","metadata":{"a":NaN}}', "body.metadata: must be valid JSON"),
        ('{"text":"x","metadata":{"a":"\\ud800"}}', "body.metadata: must be valid JSON"),
        (f'{{"text":"{"é" * 32_769}"}}', "body.text: must be at most 65536 bytes, is 65538"),
        (
            f'{{"text":"x","metadata":{{"a":"{"y" * 16_384}"}}}}',
            "body.metadata: must be at most 16384 bytes of JSON, is 16393",
        ),
        ("x", "body: not JSON at character 0"),
    ],
)
async def test_bad_concepts(
    api: httpx.AsyncClient, fake: FakeStorage, content: str, detail: str
) -> None:
    json_type = {"content-type": "application/json"}
    answer = await api.put("/concepts/a", content=content.encode(), headers=json_type)
    assert answer.status_code == 400
    assert answer.json() == problem(400, "Bad Request", detail)
    assert fake.calls == []


async def test_a_text_that_is_not_unicode(api: httpx.AsyncClient) -> None:
    json_type = {"content-type": "application/json"}
    for content in (b'{"text":"\\ud800"}', b'{"text":"\xff"}'):
        answer = await api.put("/concepts/a", content=content, headers=json_type)
        assert answer.status_code == answer.json()["status"] == 400


async def test_the_longest_text(api: httpx.AsyncClient) -> None:
    assert (await api.put("/concepts/a", json={"text": "x" * 65_536})).status_code == 201


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"weight": 1.01}, "body.weight: input should be less than or equal to 1"),
        ({"weight": -0.1}, "body.weight: input should be greater than or equal to 0"),
        ({"weight": "1"}, "body.weight: input should be a valid number"),
        ({"source": ""}, "body.source: must be 1 to 512 bytes, is 0"),
        ({"target": "\n"}, "body.target: must not hold control characters"),
        ({"kind": "k" * 65}, "body.kind: must be 1 to 64 bytes, is 65"),
        ({"x": 1}, "body.x: extra inputs are not permitted"),
    ],
)
async def test_bad_associations(
    api: httpx.AsyncClient, change: dict[str, Any], detail: str
) -> None:
    answer = await api.put("/associations", json={**LINK, **change})
    assert answer.status_code == 400
    assert answer.json() == problem(400, "Bad Request", detail)


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=0", "query.limit: input should be greater than or equal to 1"),
        ("limit=1001", "query.limit: input should be less than or equal to 1000"),
        ("after=", "query.after: must be 1 to 512 bytes, is 0"),
    ],
)
async def test_bad_pages(api: httpx.AsyncClient, query: str, detail: str) -> None:
    answer = await api.get(f"/concepts?{query}")
    assert answer.json() == problem(400, "Bad Request", detail)


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
async def test_storage_down(
    api: httpx.AsyncClient, fake: FakeStorage, method: str, path: str, body: object
) -> None:
    fake.down = True
    answer = await api.request(method, path, json=body)
    assert (answer.status_code, answer.json()) == (503, DOWN)
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(fake.calls) == (2 if method == "GET" else 1)


async def test_health_is_fast_when_the_storage_hangs(
    api: httpx.AsyncClient, fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError("not cancelled")

    monkeypatch.setattr(fake, "handle_async_request", hang)
    start = time.monotonic()
    answer = await api.get("/health")
    assert (answer.status_code, answer.json()) == (503, DOWN)
    assert time.monotonic() - start < 2


async def test_no_route_and_wrong_method(api: httpx.AsyncClient) -> None:
    assert (await api.get("/x")).json() == problem(404, "Not Found", "Not Found")
    answer = await api.delete("/stats")
    assert answer.json() == problem(405, "Method Not Allowed", "Method Not Allowed")


async def test_the_routes_are_described(api: httpx.AsyncClient) -> None:
    described = (await api.get("/openapi.json")).json()["paths"]
    assert {path: sorted(methods) for path, methods in described.items()} == {
        "/associations": ["put"],
        "/concepts": ["get"],
        "/concepts/{concept_id}": ["delete", "get", "put"],
        "/concepts/{concept_id}/associations": ["get"],
        "/health": ["get"],
        "/stats": ["get"],
    }
