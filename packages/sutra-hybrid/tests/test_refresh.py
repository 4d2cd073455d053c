import asyncio
import logging
from collections.abc import Callable, Iterable

import pytest

from fake_storage import FakeStorage
from sutra_client.storage import Concept, StorageClient, StorageUnavailable
from sutra_hybrid import refresh
from sutra_hybrid.index import Index
from sutra_hybrid.refresh import Refresher

pytestmark = pytest.mark.anyio


@pytest.fixture
def refresher(fake: FakeStorage) -> Refresher:
    return Refresher(StorageClient("http://storage", fake))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def test_only_a_change_rebuilds(fake: FakeStorage, refresher: Refresher) -> None:
    assert await refresher.refresh() is True
    assert await refresher.refresh() is False
    fake.add("a", "cat")
    assert await refresher.refresh() is True
    assert await refresher.refresh() is False
    assert await refresher.refresh(force=True) is True
    assert refresher.snapshot.index.texts == {"a": "cat"}


async def test_a_new_text_with_the_same_counts_is_noticed(
    fake: FakeStorage, refresher: Refresher
) -> None:
    fake.add("a", "cat")
    await refresher.refresh()
    fake.add("a", "dog")
    assert await refresher.refresh() is True
    assert refresher.snapshot.index.texts == {"a": "dog"}


async def test_the_digest_tells_texts_apart(fake: FakeStorage, refresher: Refresher) -> None:
    fake.add("a", "b")
    fake.add("c", "d")
    await refresher.refresh()
    fake.concepts.clear()
    fake.add("a", 'b"],["c')
    fake.add("d", "")
    assert await refresher.refresh() is True


async def test_all_pages_are_read(
    fake: FakeStorage, refresher: Refresher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "PAGE_SIZE", 2)
    for concept_id in "abcde":
        fake.add(concept_id, "x")
    await refresher.refresh()
    assert list(refresher.snapshot.index.texts) == list("abcde")
    assert fake.calls == [f"GET /concepts?limit=2{after}" for after in ("", "&after=b", "&after=d")]


async def test_an_outage_keeps_the_index(fake: FakeStorage, refresher: Refresher) -> None:
    fake.add("a", "cat")
    await refresher.refresh()
    before = refresher.snapshot
    fake.down = True
    with pytest.raises(StorageUnavailable):
        await refresher.refresh(force=True)
    assert refresher.snapshot is before


async def test_it_goes_on_by_itself(
    fake: FakeStorage, refresher: Refresher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fake.down = True
    async with refresher.running(0.01):
        await until(lambda: refresher.tried)
        await asyncio.sleep(0.1)  # several refreshes
        assert refresher.snapshot.built_at is None
        fake.down = False
        fake.add("a", "cat")
        await until(lambda: refresher.snapshot.index.texts == {"a": "cat"})
    calls = len(fake.calls)
    await asyncio.sleep(0.05)
    assert len(fake.calls) == calls
    assert [record.getMessage() for record in caplog.records if "index" in record.message] == [
        "index not refreshed: all connection attempts failed",
        "index built from 1 concepts",
    ]


async def test_a_bug_does_not_end_it(
    fake: FakeStorage,
    refresher: Refresher,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    real, broken = refresh.build, [True]

    def build(concepts: Iterable[Concept]) -> Index:
        if broken.pop() if broken else False:
            raise RuntimeError("a bug")
        return real(concepts)

    monkeypatch.setattr(refresh, "build", build)
    fake.add("a", "cat")
    async with refresher.running(0.01):
        await until(lambda: refresher.snapshot.index.texts == {"a": "cat"})
    assert [record.getMessage() for record in caplog.records] == ["index not refreshed"]
