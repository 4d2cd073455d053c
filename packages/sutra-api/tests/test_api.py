import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from fake_storage import FakeStorage
from sutra_api.app import create_app
from untraced import is_traced

pytestmark = pytest.mark.anyio


def problem(status: int, title: str, detail: str) -> dict[str, object]:
    return {"type": "about:blank", "title": title, "status": status, "detail": detail}


DOWN = problem(503, "Service Unavailable", "storage does not answer")
LINK = {"source": "a", "target": "b", "kind": "is", "weight": 0.5}
NO_LINKS: dict[str, object] = {"associations": [], "next": None}
ROUTES = [
    ("GET", "/health", None),
    ("PUT", "/concepts/a", {"text": "x"}),
    ("GET", "/concepts/a", None),
    ("DELETE", "/concepts/a", None),
    ("GET", "/concepts", None),
    ("PUT", "/associations", LINK),
    ("DELETE", "/associations?source=a&target=b&kind=is", None),
    ("GET", "/associations", None),
    ("GET", "/concepts/a/associations", None),
    ("GET", "/search?q=x", None),
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
    answer = await api.get("/concepts/cat")
    assert (answer.status_code, answer.json()) == (200, expected)
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
    page = {"associations": [LINK], "next": None}
    for path in ("/associations", "/concepts/a/associations", "/concepts/b/associations"):
        assert (await api.get(path)).json() == page
    assert (await api.get("/concepts/x/associations")).status_code == 404
    counts = {"concepts": 2, "associations": 1, "revision": 4, "bytes": 4096}
    assert (await api.get("/stats")).json() == counts


async def test_an_association_is_removed(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    fake.link("a/1", "b", "is")
    key = {"source": "a/1", "target": "b", "kind": "is"}
    removed = await api.delete("/associations", params=key)
    assert (removed.status_code, removed.content) == (204, b"")
    missing = await api.delete("/associations", params=key)
    assert missing.json() == problem(404, "Not Found", "no such association")
    wrong = await api.delete("/associations", params={"source": "a/1"})
    detail = "query.target: field required; query.kind: field required"
    assert wrong.json() == problem(400, "Bad Request", detail)


async def test_associations_are_paged(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    for target in "bcd":
        fake.link("a", target)
    first = (await api.get("/concepts/a/associations?limit=2")).json()
    query = {"limit": 2, "after": first["next"]}
    rest = (await api.get("/concepts/a/associations", params=query)).json()
    assert [row["target"] for row in first["associations"] + rest["associations"]] == [
        "b",
        "c",
        "d",
    ]
    assert rest["next"] is None
    assert (await api.get("/associations", params=query)).json() == rest


async def test_concepts_by_prefix(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    for concept_id in ("cat", "cat/1", "cat/2", "dog"):
        fake.add(concept_id, "x")
    page = (await api.get("/concepts", params={"prefix": "cat/", "limit": 1})).json()
    assert [row["id"] for row in page["concepts"]] == ["cat/1"]
    assert page["next"] == "cat/1"
    wrong = await api.get("/concepts?prefix=")
    assert wrong.json() == problem(400, "Bad Request", "query.prefix: must be 1 to 512 bytes, is 0")


async def test_a_batch(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    lines = [{"op": "put_concept", "id": "a", "text": "x"}, {"op": "put_association", **LINK}]
    content = "\n".join(map(json.dumps, lines))
    headers = {"content-type": "application/x-ndjson; charset=utf-8"}
    answer = await api.post("/batch", content=content, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == [
        {"line": 1, "status": 201},
        {"line": 2, "status": 404},
    ]
    fake.down = True
    answer = await api.post("/batch", content=content, headers=headers)
    assert answer.json() == DOWN
    assert fake.calls == ["GET /health", "POST /batch", *["GET /health"] * 2]


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (
            b"",
            "application/x-ndjson",
            problem(400, "Bad Request", "body: must hold lines of NDJSON, is empty"),
        ),
        (
            b"{}",
            "text/plain",
            problem(
                415,
                "Unsupported Media Type",
                "body: must have the Content-Type application/x-ndjson",
            ),
        ),
        (
            b"x" * (8 * 1024 * 1024 + 1),
            "application/x-ndjson",
            problem(413, "Content Too Large", "body: must be at most 8388608 bytes"),
        ),
    ],
)
async def test_bad_batches(
    api: httpx.AsyncClient,
    fake: FakeStorage,
    content: bytes,
    kind: str,
    expected: dict[str, object],
) -> None:
    answer = await api.post("/batch", content=content, headers={"content-type": kind})
    assert (answer.status_code, answer.json()) == (expected["status"], expected)
    assert fake.calls == []


async def test_the_largest_batch(api: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/x-ndjson"}
    answer = await api.post("/batch", content=b" " * (8 * 1024 * 1024), headers=headers)
    assert answer.status_code == 200


async def test_a_fifth_batch_at_once_is_refused(
    api: httpx.AsyncClient, fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = asyncio.Event()

    async def wait(request: httpx.Request) -> httpx.Response:
        await go_on.wait()
        return httpx.Response(200, request=request)

    async def ask() -> httpx.Response:
        headers = {"content-type": "application/x-ndjson"}
        return await api.post("/batch", content=b"{}", headers=headers)

    monkeypatch.setattr(fake, "handle_async_request", wait)
    waiting = [asyncio.create_task(ask()) for _ in range(4)]
    await asyncio.sleep(0.1)
    refused = await ask()
    go_on.set()
    expected = problem(503, "Service Unavailable", "too many batches at once")
    assert (refused.json(), refused.headers["retry-after"]) == (expected, "1")
    assert [(await answer).status_code for answer in waiting] == [200] * 4
    assert (await ask()).status_code == 200


async def test_a_full_disk_is_reported(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    full = {
        "type": "urn:sutra:no-space-left",
        "title": "no space left",
        "status": 503,
        "detail": "the disk is full",
    }
    fake.answer = lambda: JSONResponse(full, 503, {"Retry-After": "30"})
    answer = await api.put("/concepts/a", json={"text": "x"})
    assert (answer.status_code, answer.json()) == (503, full)
    assert answer.headers["retry-after"] == "30"
    assert len(fake.calls) == 1


@pytest.mark.parametrize("segment", ["a%2Fassociations", "%2E%2E", "%252F", "100%25", "%C3%A9"])
async def test_an_id_is_one_segment(
    api: httpx.AsyncClient, fake: FakeStorage, segment: str
) -> None:
    assert (await api.put(f"/concepts/{segment}", json={"text": "x"})).status_code == 201
    assert (await api.get(f"/concepts/{segment}")).status_code == 200
    assert (await api.get(f"/concepts/{segment}/associations")).json() == NO_LINKS
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
        (f'{{"text":"x","{"y" * 99}":1}}', f"body.{'y' * 64}: extra inputs are not permitted"),
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
    assert answer.headers["retry-after"] == "1"
    assert len(fake.calls) == 2
    fake.down, fake.calls = False, []
    for name in "ab":
        fake.link(name, "b")
    recovered = await api.request(method, path, json=body)
    assert recovered.is_success


async def test_no_route_and_wrong_method(api: httpx.AsyncClient) -> None:
    assert (await api.get("/x")).json() == problem(404, "Not Found", "Not Found")
    answer = await api.patch("/concepts/a")
    assert answer.json() == problem(405, "Method Not Allowed", "Method Not Allowed")
    assert answer.headers["allow"] == "DELETE, GET, HEAD, PUT"


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("x=1", "query: unknown parameter, known: after, limit, prefix"),
        ("limit=1&limit=2", "query: the same parameter twice"),
    ],
)
async def test_unknown_and_repeated_parameters(
    api: httpx.AsyncClient, query: str, detail: str
) -> None:
    assert (await api.get(f"/concepts?{query}")).json() == problem(400, "Bad Request", detail)


async def test_a_route_without_parameters(api: httpx.AsyncClient) -> None:
    detail = "query: unknown parameter, known: none"
    assert (await api.get("/health?x=1")).json() == problem(400, "Bad Request", detail)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
async def test_json_is_called_json(api: httpx.AsyncClient, kind: str) -> None:
    answer = await api.put("/concepts/a", content=b'{"text":"x"}', headers={"content-type": kind})
    detail = "body: must have the Content-Type application/json"
    assert answer.json() == problem(415, "Unsupported Media Type", detail)


TOO_DEEP = "body.metadata: must be at most 64 levels deep"
UNPARSED = "body: nested too deep"


@pytest.mark.parametrize(
    ("depth", "details"),
    [
        (65, {TOO_DEEP}),
        (500, {TOO_DEEP}),
        (5_000, {TOO_DEEP, UNPARSED}),  # Python 3.11's parser ends below 1,000 levels
        (80_000, {UNPARSED}),  # that of every later one as well
    ],
)
async def test_metadata_too_deep(api: httpx.AsyncClient, depth: int, details: set[str]) -> None:
    answer = await put_nested(api, depth)
    assert answer.json() in [problem(400, "Bad Request", detail) for detail in details]


@pytest.mark.parametrize("depth", [130, 900, 1_100, 9_000, 200_000])
@pytest.mark.parametrize("body", ["{nested}", '{{"text":{nested}}}', '{{"text":"","x":{nested}}}'])
@pytest.mark.parametrize("path", ["/concepts/a", "/associations"])
async def test_a_body_too_deep_is_always_a_400(
    api: httpx.AsyncClient, path: str, body: str, depth: int
) -> None:
    content = body.format(nested="[" * depth + "]" * depth)
    answer = await api.put(path, content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["title"]) == (400, "Bad Request")


@pytest.mark.parametrize("depth", [129, 900, 5_000, 80_000])
async def test_a_stored_concept_too_deep(
    api: httpx.AsyncClient, fake: FakeStorage, depth: int
) -> None:
    nested = '{"a":' * depth + "0" + "}" * depth
    row = f'{{"id":"a","text":"x","metadata":{nested}}}'
    fake.answer = lambda: Response(row)
    assert (await api.get("/concepts/a")).json() == DOWN
    assert (await api.put("/concepts/a", json={"text": "x"})).json() == DOWN
    fake.answer = lambda: Response(f'{{"concepts":[{row}],"next":null}}')
    assert (await api.get("/concepts")).json() == DOWN
    assert (await api.get("/search?q=x")).json() == DOWN


async def test_a_stored_half_of_a_character(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    fake.answer = lambda: Response(r'{"id":"a","text":"\ud800","metadata":{}}')
    assert (await api.get("/concepts/a")).json() == DOWN
    fake.answer = lambda: Response(r'{"detail":"\ud800"}', 404)
    answer = await api.get("/concepts/a")
    assert answer.json() == problem(404, "Not Found", "storage answered 404")


async def test_the_deepest_stored_concept(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    nested = '{"a":' * 128 + "0" + "}" * 128
    fake.answer = lambda: Response(f'{{"id":"a","text":"x","metadata":{nested}}}')
    answer = await api.get("/concepts/a")
    assert (answer.status_code, answer.content) == (200, fake.answer().body)


async def test_the_deepest_metadata(api: httpx.AsyncClient) -> None:
    assert (await put_nested(api, 64)).status_code == 201
    assert (await api.get("/concepts/a")).status_code == 200


async def put_nested(api: httpx.AsyncClient, depth: int) -> httpx.Response:
    nested = '{"a":' * (depth // 2) + "[" * (depth - depth // 2)
    nested += "]" * (depth - depth // 2) + "}" * (depth // 2)
    content = f'{{"text":"x","metadata":{nested}}}'
    return await api.put(
        "/concepts/a", content=content, headers={"content-type": "application/json"}
    )


async def test_a_body_too_large(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b" " * 65_536

    json_type = {"content-type": "application/json"}
    for content in (b" " * 524_289, chunks()):
        answer = await api.put("/concepts/a", content=content, headers=json_type)
        expected = problem(413, "Content Too Large", "body: must be at most 524288 bytes")
        assert (answer.status_code, answer.json()) == (413, expected)
    assert fake.calls == []


async def test_the_largest_body(api: httpx.AsyncClient) -> None:
    text = json.dumps({"text": "\x01" * 65_536})
    json_type = {"content-type": "application/json"}
    content = text + " " * (524_288 - len(text))
    assert (await api.put("/concepts/a", content=content, headers=json_type)).status_code == 201


async def test_the_routes_are_described(api: httpx.AsyncClient) -> None:
    described = (await api.get("/openapi.json")).json()["paths"]
    assert {path: sorted(methods) for path, methods in described.items()} == {
        "/associations": ["delete", "get", "put"],
        "/batch": ["post"],
        "/concepts": ["get"],
        "/concepts/{concept_id}": ["delete", "get", "put"],
        "/concepts/{concept_id}/associations": ["get"],
        "/health": ["get"],
        "/live": ["get"],
        "/metrics": ["get"],
        "/path": ["get"],
        "/search": ["get"],
        "/stats": ["get"],
    }


async def test_no_request_is_traced(fake: FakeStorage) -> None:
    assert not await is_traced(create_app(fake))
