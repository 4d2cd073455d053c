import asyncio
import random
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_storage import FakeStorage
from sutra_api import shortest
from sutra_service.client.storage import StorageClient
from sutra_service.web.problem import Refusal

pytestmark = pytest.mark.anyio


def chain(fake: FakeStorage, *names: str) -> None:
    for source, target in pairwise(names):
        fake.link(source, target)


async def path(api: httpx.AsyncClient, **query: Any) -> Any:
    return (await api.get("/path", params=query)).json()


def bound(name: str, detail: str) -> dict[str, object]:
    return {
        "type": "urn:sutra:problem:bound-met",
        "title": "Bound Met",
        "status": 422,
        "detail": detail,
        "bound": name,
    }


async def test_the_shorter_of_two(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    chain(fake, "a", "b", "c", "d", "e")
    chain(fake, "a", "x", "e")
    assert await path(api, source="a", target="e") == {
        "concepts": ["a", "x", "e"],
        "associations": [
            {"source": "a", "target": "x", "kind": "is", "weight": 0.5},
            {"source": "x", "target": "e", "kind": "is", "weight": 0.5},
        ],
    }


async def test_to_itself(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    fake.add("a", "x")
    assert await path(api, source="a", target="a") == {"concepts": ["a"], "associations": []}


async def test_the_strongest_of_parallel_ones(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    fake.link("a", "b", "weak", 0.1)
    fake.link("a", "b", "strong", 0.9)
    answer = await path(api, source="a", target="b")
    assert [link["kind"] for link in answer["associations"]] == ["strong"]


async def test_directions(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    fake.link("b", "a")
    fake.link("b", "c")
    none = {
        "type": "urn:sutra:problem:no-path",
        "title": "No Path",
        "status": 404,
        "detail": 'no path from "a" to "c"',
    }
    assert await path(api, source="a", target="c") == none
    answer = await path(api, source="a", target="c", directed="false")
    assert answer["concepts"] == ["a", "b", "c"]
    assert [(link["source"], link["target"]) for link in answer["associations"]] == [
        ("b", "a"),
        ("b", "c"),
    ]


@pytest.mark.parametrize(("source", "target"), [("a", "x"), ("x", "a")])
async def test_no_such_concept(
    api: httpx.AsyncClient, fake: FakeStorage, source: str, target: str
) -> None:
    fake.add("a", "")
    answer = await path(api, source=source, target=target)
    assert (answer["status"], answer["detail"]) == (404, 'no concept "x"')


async def test_the_depth_is_bounded(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    chain(fake, *"abcdefgh")
    answer = await path(api, source="a", target="g")
    assert answer["concepts"] == list("abcdefg")
    detail = "no path of at most 6 associations: there may be a longer one"
    assert await path(api, source="a", target="h") == bound("depth", detail)
    assert (await path(api, source="a", target="h", max_depth=7))["concepts"] == list("abcdefgh")


async def test_what_is_seen_is_bounded(
    api: httpx.AsyncClient, fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain(fake, "a", "b", "c", "d")
    for number in range(6):
        fake.link("a", f"a{number}")
        fake.link(f"d{number}", "d")
    monkeypatch.setattr(shortest, "MAX_SEEN", 17)
    assert (await path(api, source="a", target="d"))["concepts"] == ["a", "b", "c", "d"]
    monkeypatch.setattr(shortest, "MAX_SEEN", 16)
    detail = "no path among the first 16 concepts: there may be a longer one"
    assert await path(api, source="a", target="d") == bound("seen", detail)


async def test_the_time_is_bounded(
    api: httpx.AsyncClient, fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain(fake, "a", "b")
    answer = fake.handle_async_request

    async def slowly(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.2)
        return await answer(request)

    monkeypatch.setattr(fake, "handle_async_request", slowly)
    monkeypatch.setattr(shortest, "SECONDS", 0.3)
    detail = "no path found in 0.3 s: there may be a longer one"
    assert await path(api, source="a", target="b") == bound("time", detail)
    assert (await api.get("/concepts/a")).status_code == 200


async def test_a_concept_removed_meanwhile(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    chain(fake, "a", "b", "c", "d")
    chain(fake, "a", "x", "d")
    del fake.concepts["x"]
    assert (await path(api, source="a", target="d"))["concepts"] == ["a", "x", "d"]
    del fake.associations["x", "d", "is"]
    assert (await path(api, source="a", target="d"))["concepts"] == ["a", "b", "c", "d"]


async def test_storage_down(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    fake.down = True
    answer = await path(api, source="a", target="b")
    assert (answer["status"], answer["detail"]) == (503, "storage does not answer")


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ({"source": "a"}, "query.target: field required"),
        (
            {"source": "a", "target": "b", "max_depth": 17},
            "query.max_depth: input should be less than or equal to 16",
        ),
    ],
)
async def test_bad_questions(api: httpx.AsyncClient, query: dict[str, Any], detail: str) -> None:
    answer = await path(api, **query)
    assert (answer["status"], answer["detail"]) == (400, detail)


Edges = list[tuple[int, int]]
edges = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=24)


def distance(links: Edges, source: int, target: int) -> int | None:
    """Return the reference: breadth first, from one end."""
    level, seen, steps = {source}, {source}, 0
    while level:
        if target in level:
            return steps
        level = {b for a, b in links if a in level} - seen
        seen |= level
        steps += 1
    return None


@settings(max_examples=100, deadline=None)
@given(edges, st.booleans(), st.integers())
def test_as_short_as_the_reference(links: Edges, directed: bool, seed: int) -> None:
    """The path is one, it is as short as can be, and the same in whatever order rows come."""
    both = links if directed else links + [(b, a) for a, b in links]
    answers = []
    for shuffled in (links, random.Random(seed).sample(links, len(links))):
        fake = FakeStorage()
        for name in range(12):
            fake.add(str(name), "")
        for a, b in shuffled:
            fake.link(str(a), str(b))
        answers.append(asyncio.run(ask(fake, directed)))
    assert answers[0] == answers[1]
    expected = distance(both, 0, 1)
    if expected is None:
        assert answers[0] is None
        return
    assert answers[0] is not None
    concepts, associations = answers[0]
    assert len(concepts) == expected + 1
    assert (concepts[0], concepts[-1]) == ("0", "1")
    for step, link in zip(pairwise(concepts), associations, strict=True):
        assert link == step or (not directed and link == step[::-1])


async def ask(fake: FakeStorage, directed: bool) -> tuple[list[str], list[tuple[str, str]]] | None:
    async with StorageClient("http://storage", fake) as storage:
        try:
            path = await shortest.shortest(storage, "0", "1", 12, directed)
        except Refusal as refusal:
            if refusal.status_code != 404:
                raise
            return None
    return path.concepts, [(link.source, link.target) for link in path.associations]
