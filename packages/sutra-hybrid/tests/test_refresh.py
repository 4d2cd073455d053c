import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from fake_storage import FakeStorage
from sutra_hybrid import refresh
from sutra_hybrid.corpus import Corpus, Limits
from sutra_hybrid.errors import BuildFailed, NotReady
from sutra_hybrid.refresh import FAILURES, Refresher
from sutra_hybrid.snapshot import Snapshot, make
from sutra_service.client.storage import StorageClient, StorageUnavailable

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(fake: FakeStorage) -> AsyncIterator[StorageClient]:
    async with StorageClient("http://storage", fake) as client:
        yield client


@pytest.fixture
def refresher(client: StorageClient) -> Refresher:
    return Refresher(client)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def built(refresher: Refresher) -> list[str]:
    return refresher.snapshot.texts if refresher.snapshot else ["nothing"]


async def test_only_another_revision_is_read(fake: FakeStorage, refresher: Refresher) -> None:
    assert await refresher.refresh() is True
    fake.add("a", "cat")
    assert await refresher.refresh() is True
    fake.calls.clear()
    assert await refresher.refresh() is False
    assert fake.calls == ["GET /stats"]
    assert await refresher.refresh(force=True) is True
    assert built(refresher) == ["cat"]


async def test_a_hundred_who_ask_at_once_share_two_builds(
    client: StorageClient, fake: FakeStorage
) -> None:
    started, go_on = threading.Event(), threading.Event()
    built: list[list[str]] = []

    def slowly(corpus: Corpus, before: Snapshot | None) -> Snapshot:
        started.set()
        assert go_on.wait(20)
        snapshot = make(corpus, before)
        built.append(snapshot.texts)
        return snapshot

    refresher = Refresher(client, make=slowly)
    first = asyncio.create_task(refresher.refresh_now())
    await until(started.is_set)
    fake.add("a", "written before the others ask")
    others = [asyncio.create_task(refresher.refresh_now()) for _ in range(100)]
    await asyncio.sleep(0.05)
    others[0].cancel()  # one that leaves takes nobody's turn away
    go_on.set()
    results = await asyncio.gather(first, *others, return_exceptions=True)
    assert [result for result in results if result is not None] == [results[1]]
    assert isinstance(results[1], asyncio.CancelledError)
    assert built == [[], ["written before the others ask"]]


async def test_all_who_share_a_turn_hear_that_it_failed(
    refresher: Refresher, fake: FakeStorage
) -> None:
    fake.down = True
    turns = [refresher.refresh_now() for _ in range(3)]
    results = await asyncio.gather(*turns, return_exceptions=True)
    assert [type(result) for result in results] == [StorageUnavailable] * 3
    fake.down = False
    await refresher.refresh_now()
    assert built(refresher) == []


async def test_a_lower_revision_is_another_store(fake: FakeStorage, refresher: Refresher) -> None:
    fake.add("a", "cat")
    await refresher.refresh()
    fake.revision = 0
    assert await refresher.refresh() is True


async def test_a_storage_without_revisions_is_read_each_time(
    fake: FakeStorage, refresher: Refresher
) -> None:
    fake.revision = None  # type: ignore[assignment] # an answer without one
    assert await refresher.refresh() is True
    assert await refresher.refresh() is True


async def test_without_a_new_text_the_index_is_kept(
    fake: FakeStorage, refresher: Refresher
) -> None:
    fake.add("a", "cat")
    fake.add("b", "dog")
    await refresher.refresh()
    first = refresher.snapshot
    fake.link("a", "b")
    await refresher.refresh()
    second = refresher.snapshot
    fake.add("b", "owl")
    await refresher.refresh()
    third = refresher.snapshot
    assert first
    assert second
    assert third
    assert second.index is first.index
    assert (len(first.graph), len(second.graph), len(third.graph)) == (0, 1, 1)
    assert third.index is not second.index
    assert dict(refresher.builds.values) == {("new",): 2, ("kept",): 1}


async def test_texts_that_are_cut_in_another_way_are_new(
    fake: FakeStorage, refresher: Refresher
) -> None:
    fake.add("a", "b")
    fake.add("c", "d")
    await refresher.refresh()
    fake.concepts.clear()
    fake.add("a", "bcd")
    fake.add("c", "")
    await refresher.refresh()
    assert dict(refresher.builds.values) == {("new",): 2}


async def test_an_outage_keeps_the_snapshot(fake: FakeStorage, refresher: Refresher) -> None:
    fake.add("a", "cat")
    await refresher.refresh()
    before = refresher.snapshot
    fake.down = True
    with pytest.raises(StorageUnavailable):
        await refresher.refresh(force=True)
    assert refresher.snapshot is before
    assert str(refresher.failing) == "all connection attempts failed"
    assert await refresher.ready() is before
    fake.down = False
    await refresher.refresh()
    assert refresher.failing is None


async def test_questions_wait_for_the_first_snapshot(
    fake: FakeStorage, client: StorageClient
) -> None:
    go_on = threading.Event()

    def slowly(corpus: Corpus, before: Snapshot | None) -> Snapshot:
        assert go_on.wait(20)
        return make(corpus, before)

    refresher = Refresher(client, make=slowly)
    fake.add("a", "cat")
    async with refresher.running(3600):
        waiting = asyncio.create_task(refresher.ready())
        await asyncio.sleep(0.1)
        assert not waiting.done()
        go_on.set()
        assert (await waiting).texts == ["cat"]


async def test_nothing_to_wait_for(
    fake: FakeStorage, refresher: Refresher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "PATIENCE", 0.01)
    with pytest.raises(NotReady, match=r"^the first index is being built$"):
        await refresher.ready()
    fake.down = True
    with pytest.raises(StorageUnavailable):
        await refresher.refresh()
    monkeypatch.setattr(refresh, "PATIENCE", 3600)
    with pytest.raises(NotReady, match=r"^all connection attempts failed$"):
        await refresher.ready()


async def test_it_goes_on_by_itself(
    fake: FakeStorage, refresher: Refresher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sutra_hybrid")
    fake.down = True
    async with refresher.running(0.01):
        await until(lambda: len(fake.calls) > 3)
        assert refresher.snapshot is None
        fake.down = False
        fake.add("a", "cat")
        await until(lambda: built(refresher) == ["cat"])
    calls = len(fake.calls)
    await asyncio.sleep(0.05)
    assert len(fake.calls) == calls
    assert [record.getMessage() for record in caplog.records] == [
        "index not refreshed: all connection attempts failed",
        "index built",
    ]
    fields = caplog.records[-1].fields  # type: ignore[attr-defined] # from `extra`
    assert fields.pop("read_seconds") >= 0
    assert fields.pop("build_seconds") >= 0
    assert fields == {
        "concepts": 1,
        "associations": 0,
        "revision": 1,
        "complete": True,
        "kept": False,
    }


async def test_over_a_limit_is_a_warning(
    fake: FakeStorage, client: StorageClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sutra_hybrid")
    fake.add("a", "cat")
    fake.add("b", "dog")
    refresher = Refresher(client, Limits(concepts=1))
    await refresher.refresh()
    assert built(refresher) == ["cat"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_a_bug_does_not_end_it(
    fake: FakeStorage, client: StorageClient, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [True]

    def sometimes(corpus: Corpus, before: Snapshot | None) -> Snapshot:
        if broken.pop() if broken else False:
            raise RuntimeError("a bug")
        return make(corpus, before)

    refresher = Refresher(client, make=sometimes)
    fake.add("a", "cat")
    async with refresher.running(0.01):
        await until(lambda: built(refresher) == ["cat"])
    (record,) = caplog.records
    assert record.getMessage() == "index not built: unexpected error"
    assert record.exc_info
    assert str(record.exc_info[1]) == "a bug"


async def test_builds_that_fail_again_and_again(
    fake: FakeStorage, client: StorageClient, caplog: pytest.LogCaptureFixture
) -> None:
    well = [False]

    def sometimes(corpus: Corpus, before: Snapshot | None) -> Snapshot:
        if not well[0]:
            raise BuildFailed("killed")
        return make(corpus, before)

    refresher = Refresher(client, make=sometimes)
    fake.add("a", "cat")
    reasons = []
    for _ in range(FAILURES):
        reasons.append(refresher.broken)
        with pytest.raises(BuildFailed, match=r"^killed$"):
            await refresher.refresh()
    assert (reasons, refresher.broken, refresher.failing) == ([None] * FAILURES, "killed", None)
    with pytest.raises(NotReady, match=r"^killed$"):
        await refresher.ready()
    assert [record.getMessage() for record in caplog.records] == ["index not built: killed"]
    well[0] = True
    await refresher.refresh()
    assert (built(refresher), refresher.broken) == (["cat"], None)
    assert dict(refresher.builds.values) == {("failed",): FAILURES, ("new",): 1}
    well[0] = False
    with pytest.raises(BuildFailed):
        await refresher.refresh(force=True)
    assert (built(refresher), refresher.broken) == (["cat"], None)


async def test_it_rests_after_a_long_build(
    fake: FakeStorage, client: StorageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    now = [0.0]

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return now[0]

        @staticmethod
        def perf_counter() -> float:
            return now[0]

    def slowly(corpus: Corpus, before: Snapshot | None) -> Snapshot:
        now[0] += 10
        return make(corpus, before)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            await asyncio.Event().wait()

    monkeypatch.setattr(refresh, "time", Clock)
    refresher = Refresher(client, make=slowly)
    monkeypatch.setattr("asyncio.sleep", sleep)
    async with refresher.running(5):
        async with asyncio.timeout(20):
            while len(slept) < 2:
                await asyncio.get_running_loop().run_in_executor(None, threading.Event().wait, 0.01)
    assert slept == [30.0, 5]
