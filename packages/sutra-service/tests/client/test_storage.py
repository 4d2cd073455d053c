import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from fake_storage import FakeStorage, problem_answer
from sutra_service.client import storage
from sutra_service.client.storage import (
    Association,
    AssociationPage,
    Concept,
    Health,
    NotFound,
    Page,
    Stats,
    StorageClient,
    StorageRefused,
    StorageUnavailable,
)
from sutra_service.context import request_id

pytestmark = pytest.mark.anyio

Call = Callable[[StorageClient], Awaitable[object]]
GETS: list[Call] = [
    lambda client: client.get_concept("a"),
    lambda client: client.list_concepts(),
    lambda client: client.list_associations("a"),
    lambda client: client.association_page(),
    lambda client: client.stats(),
    lambda client: client.health(),
]
WRITES: list[Call] = [
    lambda client: client.put_concept(Concept("a", "x")),
    lambda client: client.put_association(Association("a", "a", "is", 1)),
    lambda client: client.delete_concept("a"),
    lambda client: client.delete_association("a", "a", "is"),
]


def client_of(fake: httpx.AsyncBaseTransport) -> StorageClient:
    return StorageClient("http://storage", fake)


async def test_every_route(fake: FakeStorage) -> None:
    cat, dog = Concept("cat/1", "a cat", {"legs": 4}), Concept("dog", "a dog")
    link = Association("cat/1", "dog", "chased by", 0.5)
    async with client_of(fake) as client:
        assert await client.put_concept(cat) == (cat, True)
        assert await client.put_concept(cat) == (cat, False)
        assert await client.put_concept(dog) == (dog, True)
        assert await client.get_concept("cat/1") == cat
        assert await client.list_concepts() == Page([cat, dog], None)
        assert await client.list_concepts(limit=1) == Page([cat], "cat/1")
        assert await client.list_concepts("cat/1", 1) == Page([dog], None)
        assert [page async for page in client.pages(1)] == [Page([cat], "cat/1"), Page([dog], None)]
        assert await client.put_association(link) is True
        assert await client.put_association(link) is False
        assert await client.list_associations("cat/1") == [link]
        assert await client.list_associations("dog") == [link]
        assert await client.association_page() == AssociationPage([link], None)
        assert await client.association_page("dog", limit=1) == AssociationPage([link], None)
        assert await client.list_concepts(prefix="d") == Page([dog], None)
        assert await client.stats() == Stats(2, 1, revision=5, bytes=4096)
        assert await client.health() == Health("ok", "0.1.0")
        await client.delete_association("cat/1", "dog", "chased by")
        await client.delete_concept("dog")
        assert await client.stats() == Stats(1, 0, revision=7, bytes=4096)
    assert fake.calls[0] == "PUT /concepts/cat%2F1"
    assert "GET /concepts/cat%2F1/associations?limit=1000" in fake.calls
    assert "DELETE /associations?source=cat%2F1&target=dog&kind=chased+by" in fake.calls
    assert "GET /concepts?limit=1&after=cat%2F1" in fake.calls


async def test_not_found(fake: FakeStorage) -> None:
    async with client_of(fake) as client:
        with pytest.raises(NotFound, match=r'^404 no concept "x"$') as caught:
            await client.get_concept("x")
        with pytest.raises(NotFound):
            await client.delete_concept("x")
    assert caught.value.problem == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": 'no concept "x"',
    }


@pytest.mark.parametrize(
    ("answer", "title", "detail"),
    [
        (lambda: problem_answer(507, "Full", "no room"), "Full", "no room"),
        (lambda: PlainTextResponse("oops", 507), "Insufficient Storage", "storage answered 507"),
        (lambda: JSONResponse([], 507), "Insufficient Storage", "storage answered 507"),
    ],
)
async def test_refused(
    fake: FakeStorage, answer: Callable[[], Response], title: str, detail: str
) -> None:
    fake.answer = answer
    async with client_of(fake) as client:
        with pytest.raises(StorageRefused) as caught:
            await client.stats()
    assert caught.value.problem == {
        "type": "about:blank",
        "title": title,
        "status": 507,
        "detail": detail,
    }


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize("body", ["no json", "[]", "{}", "3", deep(129), deep(5_000), deep(80_000)])
async def test_an_answer_outside_the_contract(fake: FakeStorage, body: str) -> None:
    fake.answer = lambda: PlainTextResponse(body)
    async with client_of(fake) as client:
        for ask in GETS:
            with pytest.raises(StorageUnavailable, match=r"^unreadable answer to GET /"):
                await ask(client)


CONCEPT = {"id": "a", "text": "x", "metadata": {}}
LINK = {"source": "a", "target": "b", "kind": "is", "weight": 1}
STATS = {"concepts": 1, "associations": 1, "revision": 1, "bytes": 1}


@pytest.mark.parametrize(
    "wrong", [deep(5_000), deep(9), "{}", '{"a":3}', r'"\ud800"', r'"a\uDFFFb"']
)
@pytest.mark.parametrize(
    ("ask", "whole", "members"),
    [
        (GETS[0], "%s", CONCEPT),
        (GETS[1], '{"concepts":[%s],"next":null}', CONCEPT),
        (GETS[1], "%s", {"concepts": [], "next": None}),
        (GETS[2], '{"associations":[%s],"next":null}', LINK),
        (GETS[3], "%s", {"associations": [], "next": None}),
        (GETS[4], "%s", STATS),
        (GETS[5], "%s", {"status": "ok", "version": "1"}),
    ],
)
async def test_a_member_of_another_type(
    fake: FakeStorage, ask: Call, whole: str, members: dict[str, object], wrong: str
) -> None:
    async with client_of(fake) as client:
        for name in members.keys() - {"metadata", "concepts", "associations"}:
            spoilt = json.dumps(members | {name: "HERE"}).replace('"HERE"', wrong)
            fake.answer = lambda body=whole % spoilt: PlainTextResponse(body)
            with pytest.raises(StorageUnavailable, match=r"^unreadable answer to GET /"):
                await ask(client)


def concept_with(metadata: bytes) -> bytes:
    return b'{"id":"a","text":"x","metadata":{%s}}' % metadata


@pytest.mark.parametrize(
    "body",
    [
        b"\xff" * 1_000_000,  # it is not logged
        concept_with(rb'"a":"\ud800"'),
        concept_with(rb'"\udc00\ud83d":1'),
        concept_with(b'"a":"\xed\xa0\x80"'),
    ],
)
async def test_an_answer_that_is_not_utf_8(fake: FakeStorage, body: bytes) -> None:
    fake.answer = lambda: Response(body)
    async with client_of(fake) as client:
        detail = r"^unreadable answer to GET /concepts/a: ValueError\('not UTF-8'\)$"
        with pytest.raises(StorageUnavailable, match=detail):
            await client.get_concept("a")


async def test_escapes_of_whole_characters(fake: FakeStorage) -> None:
    fake.answer = lambda: Response(concept_with(rb'"\ud83d\uDE00":"\\ud800"'))
    async with client_of(fake) as client:
        assert (await client.get_concept("a")).metadata == {"\U0001f600": r"\ud800"}


@pytest.mark.parametrize("detail", [rb'"\ud800"', b'"\xff"'])
async def test_an_error_that_is_not_utf_8(fake: FakeStorage, detail: bytes) -> None:
    fake.answer = lambda: Response(b'{"detail":%s}' % detail, 404)
    async with client_of(fake) as client:
        with pytest.raises(NotFound, match=r"^404 storage answered 404$"):
            await client.get_concept("a")


@pytest.mark.parametrize("levels", [128, 129])
async def test_the_deepest_metadata(fake: FakeStorage, levels: int) -> None:
    nested = {"a": json.loads(deep(levels - 1))}
    fake.answer = lambda: JSONResponse(CONCEPT | {"metadata": nested})
    async with client_of(fake) as client:
        if levels == 128:
            assert await client.get_concept("a") == Concept("a", "x", nested)
            return
        detail = (
            "^unreadable answer to GET /concepts/a: "
            r"ValueError\('metadata of more than 128 levels'\)$"
        )
        with pytest.raises(StorageUnavailable, match=detail):
            await client.get_concept("a")


@pytest.mark.parametrize("levels", [9, 5_000, 80_000])
async def test_an_error_nested_too_deep(fake: FakeStorage, levels: int) -> None:
    body = f'{{"type":{deep(levels)},"title":{deep(levels)},"detail":{deep(levels)}}}'
    fake.answer = lambda: PlainTextResponse(body, 507)
    async with client_of(fake) as client:
        with pytest.raises(StorageRefused, match=r"^507 storage answered 507$") as caught:
            await client.stats()
    assert caught.value.problem["type"] == "about:blank"
    assert caught.value.problem["title"] == "Insufficient Storage"


@pytest.mark.parametrize("ask", GETS + WRITES)
@pytest.mark.parametrize(
    "failure", [httpx.ConnectError("no"), httpx.ReadError("no"), httpx.RemoteProtocolError("no")]
)
async def test_what_is_idempotent_is_sent_again_once(
    fake: FakeStorage, ask: Call, failure: Exception
) -> None:
    fake.link("a", "a")
    async with client_of(fake) as client:
        fake.failures = [failure]
        await ask(client)
        fake.failures = [failure, failure]
        with pytest.raises(StorageUnavailable, match=r"^no$"):
            await ask(client)
    assert len(fake.calls) == 4
    assert len(set(fake.calls)) == 1


async def test_a_batch_is_never_sent_again(fake: FakeStorage) -> None:
    class Breaking(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "POST":
                fake.failures = [httpx.ReadError("no")]
            return await fake.handle_async_request(request)

    async with client_of(Breaking()) as client:
        with pytest.raises(StorageUnavailable, match=r"^no$"):
            await client.batch(b"{}")
    assert fake.calls == ["GET /health", "POST /batch"]


class Working(httpx.AsyncBaseTransport):
    """Never ends a batch; answers others `times` times, then nobody."""

    def __init__(self, fake: FakeStorage, times: int) -> None:
        self.fake, self.times, self.cancelled = fake, times, False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET" and self.times:
            self.times -= 1
            return await self.fake.handle_async_request(request)
        self.fake.calls.append(request.method)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled = self.cancelled or request.method == "POST"
            raise
        raise AssertionError("not cancelled")


async def test_a_frozen_storage_gets_no_batch(
    fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "HEALTH_DEADLINE", 0.05)
    async with client_of(Working(fake, 0)) as client:
        with pytest.raises(StorageUnavailable, match=r"^no answer within 0\.05 s$"):
            await client.batch(b"{}")
    assert fake.calls == ["GET"]


async def test_a_batch_ends_when_the_storage_answers_nobody_any_more(
    fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "HEALTH_DEADLINE", 0.05)
    monkeypatch.setattr(storage, "WATCH", 0.01)
    working = Working(fake, 3)
    async with client_of(working) as client:
        with pytest.raises(StorageUnavailable, match=r"^no answer within 0\.05 s$"):
            await client.batch(b"{}")
    assert fake.calls == ["GET /health", "POST", "GET /health", "GET /health", "GET"]
    assert working.cancelled


async def test_a_long_batch_goes_on_while_the_storage_answers(
    fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "POST":
                await asyncio.sleep(0.3)
            return await fake.handle_async_request(request)

    monkeypatch.setattr(storage, "HEALTH_DEADLINE", 0.1)
    monkeypatch.setattr(storage, "WATCH", 0.01)
    async with client_of(Slow()) as client:
        results = await client.batch(b'{"op":"put_concept","id":"a","text":"x"}')
    assert json.loads(results) == {"line": 1, "status": 201}
    assert fake.calls.count("GET /health") > 1


def test_a_frozen_storage_is_noticed_in_under_two_seconds() -> None:
    assert storage.WATCH + storage.HEALTH_DEADLINE < 2


async def test_a_sick_storage_still_gets_its_batch(fake: FakeStorage) -> None:
    """Its answer says which lines it took: it may refuse only some of them."""
    fake.answer = lambda: problem_answer(503, "Sick", "the disk failed")
    async with client_of(fake) as client:
        with pytest.raises(StorageRefused, match=r"^503 the disk failed$"):
            await client.batch(b"{}")
    assert fake.calls == ["GET /health", "POST /batch"]


async def test_a_batch(fake: FakeStorage) -> None:
    lines = b'{"op":"put_concept","id":"a","text":"x"}\n\n{"op":"no"}\n'
    async with client_of(fake) as client:
        results = await client.batch(lines)
    assert [json.loads(line) for line in results.splitlines()] == [
        {"line": 1, "status": 201},
        {"line": 3, "status": 400, "title": "Bad Request", "detail": "unknown op"},
    ]
    assert fake.headers[1]["content-type"] == "application/x-ndjson"


@pytest.mark.parametrize(
    "remove",
    [
        lambda client: client.delete_concept("gone"),
        lambda client: client.delete_association("a", "b", "gone"),
    ],
)
async def test_gone_at_the_second_try_is_removed(fake: FakeStorage, remove: Call) -> None:
    """The first may have been heard, and only its answer lost."""
    async with client_of(fake) as client:
        fake.failures = [httpx.ReadError("no")]
        await remove(client)
        with pytest.raises(NotFound):
            await remove(client)
    assert len(fake.calls) == 3


async def test_associations_of_many_pages(fake: FakeStorage) -> None:
    for number in range(2001):
        fake.link("hub", f"{number:04}")
    async with client_of(fake) as client:
        links = await client.list_associations("hub")
        first = await client.association_page("hub", limit=1)
        second = await client.association_page("hub", first.next, limit=1)
    assert [link.target for link in links] == [f"{number:04}" for number in range(2001)]
    assert first.associations + second.associations == links[:2]
    assert fake.calls[1] == "GET /concepts/hub/associations?limit=1000&after=at%091000"


async def test_the_id_of_the_request_is_passed_on(fake: FakeStorage) -> None:
    async with client_of(fake) as client:
        await client.stats()
        token = request_id.set("abc")
        await client.stats()
        await client.batch(b"")
        request_id.reset(token)
    assert [headers.get("x-request-id") for headers in fake.headers] == [None, *["abc"] * 3]
    assert fake.headers[3]["content-type"] == "application/x-ndjson"


async def test_every_call_is_reported(fake: FakeStorage) -> None:
    reported: list[tuple[str, str, float]] = []

    def report(*call: Any) -> None:
        reported.append(call)

    async with StorageClient("http://storage", fake, report=report) as client:
        await client.stats()
        with pytest.raises(NotFound):
            await client.get_concept("x")
        await client.batch(b"")
        fake.down = True
        with pytest.raises(StorageUnavailable):
            await client.batch(b"")
    assert [call[:2] for call in reported] == [
        ("GET", "ok"),
        ("GET", "refused"),
        ("GET", "ok"),
        ("POST", "ok"),
        ("GET", "unavailable"),
    ]
    assert all(0 <= seconds < 5 for _, _, seconds in reported)


async def test_the_key_is_sent_with_every_call(fake: FakeStorage) -> None:
    fake.key = "0123456789abcdef"
    async with StorageClient("http://storage", fake, key=fake.key) as client:
        await client.ready()
        await client.put_concept(Concept("a", "x"))
        await client.batch(b"")
    sent = {headers.get("authorization") for headers in fake.headers}
    assert sent == {"Bearer 0123456789abcdef"}


async def test_without_a_key_none_is_sent(fake: FakeStorage) -> None:
    async with client_of(fake) as client:
        await client.ready()
        await client.stats()
    assert not any("authorization" in headers for headers in fake.headers)
    assert fake.calls == ["GET /health", "GET /stats"]


@pytest.mark.parametrize("key", [None, "another-key-0123"])
async def test_a_wrong_key_is_not_the_callers_fault(fake: FakeStorage, key: str | None) -> None:
    fake.key = "0123456789abcdef"
    message = "^the storage wants another key: the bearer token is wrong$"
    async with StorageClient("http://storage", fake, key=key) as client:
        for ask in [*GETS[:-1], *WRITES]:
            with pytest.raises(StorageUnavailable, match=message):
                await ask(client)


async def test_with_a_wrong_key_it_is_not_ready(fake: FakeStorage) -> None:
    fake.key = "0123456789abcdef"
    async with StorageClient("http://storage", fake, key="another-key-0123") as client:
        with pytest.raises(StorageUnavailable, match=r"^the storage wants another key"):
            await client.ready()


class Pages(httpx.AsyncBaseTransport):
    """Answers pages of `fake` in pieces, with or without their length; counts what is read."""

    def __init__(self, fake: FakeStorage, announced: bool) -> None:
        self.fake, self.announced, self.sent = fake, announced, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self.fake.handle_async_request(request)
        content = await answer.aread()

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(content), 65536):
                self.sent += 65536
                yield content[start : start + 65536]

        headers = {"content-length": str(len(content))} if self.announced else {}
        return httpx.Response(answer.status_code, headers=headers, content=pieces())


@pytest.mark.parametrize("announced", [True, False])
async def test_a_page_that_is_too_large_is_asked_for_in_parts(
    fake: FakeStorage, announced: bool
) -> None:
    for number in range(200):
        fake.add(f"{number:03}", "x" * 65_536)  # 13 MB
    transport = Pages(fake, announced)
    async with client_of(transport) as client:
        first = await client.list_concepts(limit=1000)
        assert [concept.id for concept in first.concepts] == [f"{n:03}" for n in range(15)]
        assert first.next == "014"
        ids = [concept.id async for page in client.pages(1000) for concept in page.concepts]
    assert ids == [f"{number:03}" for number in range(200)]
    limits = [int(call.partition("limit=")[2].partition("&")[0]) for call in fake.calls]
    assert limits[:3] == [1000, 125, 15]
    assert len(limits) < 30
    assert transport.sent < 50_000_000


async def test_one_row_that_is_too_large(fake: FakeStorage) -> None:
    fake.add("a", "x" * 3_000_000)
    detail = "^the answer to /concepts is of more than 2097152 bytes$"
    async with client_of(fake) as client:
        with pytest.raises(StorageUnavailable, match=detail):
            await client.list_concepts()
        with pytest.raises(StorageUnavailable, match=r"^the answer to /concepts/a is"):
            await client.get_concept("a")


async def test_a_timeout_is_not_retried(fake: FakeStorage) -> None:
    fake.failures = [httpx.ConnectTimeout("")]
    async with client_of(fake) as client:
        with pytest.raises(StorageUnavailable, match=r"^ConnectTimeout$"):
            await client.stats()
    assert fake.calls == ["GET /stats"]


class Silent(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError("not cancelled")


async def test_health_has_a_deadline() -> None:
    async with client_of(Silent()) as client:
        with pytest.raises(StorageUnavailable, match=r"^no answer within 0\.1 s$"):
            await client.health(deadline=0.1)


async def test_a_call_has_a_deadline_as_a_whole(fake: FakeStorage) -> None:
    async with StorageClient("http://storage", Silent(), deadline=0.1) as client:
        with pytest.raises(StorageUnavailable, match=r"^no answer within 0\.1 s$"):
            await client.stats()


async def test_a_closed_port(unused_port: int) -> None:
    async with StorageClient(f"http://127.0.0.1:{unused_port}") as client:
        with pytest.raises(StorageUnavailable, match="connection"):
            await client.stats()
