from typing import Any

import pytest

from fake_storage import FakeStorage
from sutra_hybrid import corpus
from sutra_hybrid.corpus import Corpus, Limits, limits, read
from sutra_service.client.storage import StorageClient
from sutra_service.settings import SettingsError


async def read_all(fake: FakeStorage, most: Limits | None = None) -> Corpus:
    async with StorageClient("http://storage", fake) as client:
        return await read(client, most or Limits())


@pytest.mark.anyio
async def test_an_empty_storage(fake: FakeStorage) -> None:
    result = await read_all(fake)
    assert (result.texts, len(result.sources), result.complete) == ({}, 0, True)
    assert result.revision == 0


@pytest.mark.anyio
async def test_everything_is_read_page_by_page(
    fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "FIRST_PAGE", 2)
    monkeypatch.setattr(corpus, "MAX_PAGE", 3)
    for concept_id in "dbeac":
        fake.add(concept_id, f"text {concept_id}")
    for target in "abcde":
        fake.link("b", target, weight=0.25)
    result = await read_all(fake)
    assert list(result.texts.items()) == [(name, f"text {name}") for name in "abcde"]
    assert (list(result.sources), list(result.targets)) == ([1] * 5, [0, 1, 2, 3, 4])
    assert (list(result.weights), result.kinds, result.complete) == ([0.25] * 5, {"is": 0}, True)
    assert fake.calls == [
        "GET /stats",
        "GET /concepts?limit=2",
        "GET /concepts?limit=3&after=b",
        "GET /associations?limit=3",
        "GET /associations?limit=3&after=at%093",
    ]


@pytest.mark.anyio
async def test_pages_of_large_texts_are_small(
    fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "FIRST_PAGE", 2)
    monkeypatch.setattr(corpus, "PAGE_TEXT", 100)
    for concept_id in "abcd":
        fake.add(concept_id, "x" * 199)
    assert len((await read_all(fake)).texts) == 4
    pages = [call for call in fake.calls if call.startswith("GET /concepts")]
    assert [page.split("limit=")[1][0] for page in pages] == ["2", "1", "1"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("most", "concepts", "associations", "complete"),
    [
        (Limits(3, 100, 3), 3, 3, True),
        (Limits(2, 100, 3), 2, 1, False),
        (Limits(3, 9, 3), 3, 3, True),  # three ids of 1 byte, three texts of 2
        (Limits(3, 8, 3), 2, 1, False),
        (Limits(3, 100, 2), 3, 2, False),
        (Limits(3, 100, 0), 3, 0, False),
    ],
)
async def test_limits_are_exact(
    fake: FakeStorage, most: Limits, concepts: int, associations: int, complete: bool
) -> None:
    for concept_id in "abc":
        fake.add(concept_id, "é")
    fake.link("a", "b")
    fake.link("b", "c")
    fake.link("c", "a")
    result = await read_all(fake, most)
    assert (len(result.texts), len(result.sources)) == (concepts, associations)
    assert result.complete is complete


@pytest.mark.anyio
async def test_the_revision_is_the_one_before_the_first_page(fake: FakeStorage) -> None:
    fake.add("a", "x")
    before = fake.revision
    answer_of = fake.handle_async_request

    async def written_meanwhile(request: Any) -> object:
        answer = await answer_of(request)
        fake.revision += 1
        return answer

    fake.handle_async_request = written_meanwhile  # type: ignore[assignment,method-assign] # a write in between
    assert (await read_all(fake)).revision == before


def test_the_environment_sets_limits() -> None:
    assert limits({}) == Limits()
    env = {
        "SUTRA_MAX_CONCEPTS": "1000",
        "SUTRA_MAX_TEXT_MB": "1.5",
        "SUTRA_MAX_ASSOCIATIONS": "0",
    }
    assert limits(env) == Limits(1000, 1_500_000, 0)


def test_a_wrong_limit_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        limits({"SUTRA_MAX_CONCEPTS": "0"})
    assert str(caught.value) == 'SUTRA_MAX_CONCEPTS: not a number from 1 to 1e+07 "0"'
