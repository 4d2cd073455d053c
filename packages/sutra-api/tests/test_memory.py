"""What a large store may cost: memory is bounded, whatever one question reads."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from fake_storage import FakeStorage
from sutra_api import routes
from sutra_api.app import create_app
from sutra_api.shortest import shortest
from sutra_service.client.storage import StorageClient
from sutra_service.web.problem import Refusal

pytestmark = pytest.mark.anyio

HUB = 100_000
PAGE = 1000
MB = 1_000_000


class Hub(httpx.AsyncBaseTransport):
    """A storage where one concept has `size` associations; `row` names the target of each."""

    def __init__(self, row: Callable[[int], str], size: int = HUB) -> None:
        self.row, self.size, self.pages = row, size, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.split("/")[2]
        if not request.url.path.endswith("/associations"):
            return httpx.Response(200, json={"id": name, "text": "", "metadata": {}})
        start = int(request.url.params.get("after", 0)) if name == "hub" else self.size
        self.pages += name == "hub"
        rows = [self._row(number) for number in range(start, min(start + PAGE, self.size))]
        following = str(start + PAGE) if start + PAGE < self.size else None
        return httpx.Response(200, json={"associations": rows, "next": following})

    def _row(self, number: int) -> dict[str, object]:
        target = self.row(number)
        return {"source": "hub", "target": target, "kind": f"kind-{number}", "weight": 0.5}


async def refused(transport: Hub) -> tuple[int, int]:
    """Search from the hub; return the status and the most memory that it took meanwhile."""
    async with StorageClient("http://storage", transport) as storage:
        tracemalloc.start()
        try:
            with pytest.raises(Refusal) as caught:
                await shortest(storage, "hub", "far", 6, directed=True)
            return caught.value.status_code, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


async def test_a_hub_with_100_000_neighbours_ends_the_search_after_10_000() -> None:
    hub = Hub(lambda number: f"concept-{number}")
    status, peak = await refused(hub)
    assert (status, hub.pages) == (422, 10)
    assert peak < 12 * MB


async def test_many_associations_with_few_neighbours_take_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sutra_api.shortest.SECONDS", 60.0)  # memory is traced, which is slow
    hub = Hub(lambda number: f"concept-{number % 100}", 20_000)
    status, peak = await refused(hub)
    assert (status, hub.pages) == (404, 20)
    assert peak < 3 * MB  # all of them would be 6


@asynccontextmanager
async def reading(fake: FakeStorage) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(fake)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client,
    ):
        yield client


class Counting(FakeStorage):
    """Counts how many pages it is asked for at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.go_on = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.now += 1
        self.most = max(self.most, self.now)
        await self.go_on.wait()
        self.now -= 1
        return await super().handle_async_request(request)


PATHS = ["/concepts?limit=1000", "/associations?limit=1000", "/concepts/a/associations"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_hundred_readers_get_their_pages_one_after_the_other(path: str) -> None:
    fake = Counting()
    fake.link("a", "b")
    async with reading(fake) as client:
        tasks = [asyncio.create_task(client.get(path)) for _ in range(100)]
        await asyncio.sleep(0.1)
        single = asyncio.create_task(client.get("/concepts/a"))
        await asyncio.sleep(0.1)
        assert fake.most == routes.PAGES + 1  # a concept does not wait for pages
        fake.go_on.set()
        statuses = {(await task).status_code for task in tasks}
        assert (await single).status_code == 200
    assert statuses == {200}


async def test_waiting_too_long_for_a_page_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "PAGE_SECONDS", 0.1)
    fake = Counting()
    async with reading(fake) as client:
        tasks = [asyncio.create_task(client.get(PATHS[0])) for _ in range(routes.PAGES + 2)]
        await asyncio.sleep(0.3)
        fake.go_on.set()
        answers = [await task for task in tasks]
    assert sorted(answer.status_code for answer in answers) == [200] * routes.PAGES + [503] * 2
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert (refused.json()["detail"], refused.headers["retry-after"]) == (
        "too many pages at once",
        "1",
    )


async def test_bodies_are_parsed_one_after_the_other(fake: FakeStorage) -> None:
    """A body of empty lists is some thirty times as large once it is parsed."""
    body = json.dumps({"text": "", "metadata": {"a": [[]] * 20_000}})
    async with reading(fake) as client:
        headers = {"Content-Type": "application/json"}
        tracemalloc.start()
        try:
            requests = [client.put("/concepts/a", content=body, headers=headers) for _ in range(20)]
            answers = await asyncio.gather(*requests)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert {answer.status_code for answer in answers} == {400}
    assert peak < 12 * MB
