import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_storage import FakeStorage
from sutra_api import words
from sutra_service.client.storage import Concept, StorageClient

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("The Cat sat", "cat"),
        ("die STRASSE", "straße"),
        ("cafe\u0301", "CAFÉ"),
        ("ﬁne day", "day fine"),
        ("日本 東京", "東京"),
        ("x_1 is 42", "42 x_1"),
    ],
)
def test_found(text: str, query: str) -> None:
    assert words.holds(Concept("id", text), words.words_of(query))


@pytest.mark.parametrize(
    ("text", "query"),
    [("concatenate", "cat"), ("cats", "cat"), ("cat", "cat dog"), ("", "cat"), ("metadata", "x")],
)
def test_not_found(text: str, query: str) -> None:
    assert not words.holds(Concept("id", text, {"x": "cat"}), words.words_of(query))


def test_ids_are_searched_too() -> None:
    assert words.holds(Concept("animal/cat", "purrs"), words.words_of("cat purrs"))


@given(st.text(), st.text())
def test_a_text_holds_its_own_words(text: str, more: str) -> None:
    try:
        wanted = words.words_of(text)
    except ValueError:
        return
    assert words.holds(Concept("id", f"{more} {text} {more}"), wanted)


async def test_a_page_of_what_was_found(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    for number in range(6):
        fake.add(f"{number}", "a cat" if number % 2 else "a dog")
    first = (await api.get("/search", params={"q": "CAT", "limit": 2})).json()
    cat = {"text": "a cat", "metadata": {}}
    assert first == {
        "concepts": [{"id": "1", **cat}, {"id": "3", **cat}],
        "scanned": 4,
        "next": "3",
    }
    rest = (await api.get("/search", params={"q": "CAT", "limit": 2, "after": "3"})).json()
    assert rest == {"concepts": [{"id": "5", **cat}], "scanned": 2, "next": None}


async def test_the_last_one_ends_the_search(api: httpx.AsyncClient, fake: FakeStorage) -> None:
    fake.add("a", "cat")
    page = (await api.get("/search?q=cat&limit=1")).json()
    assert (len(page["concepts"]), page["next"]) == (1, None)


async def test_nothing_found(api: httpx.AsyncClient) -> None:
    expected = {"concepts": [], "scanned": 0, "next": None}
    assert (await api.get("/search?q=cat")).json() == expected


async def test_a_search_is_bounded_and_goes_on(
    fake: FakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "MAX_SCANNED", 20)
    monkeypatch.setattr(words, "PAGE", 10)
    for number in range(30):
        fake.add(f"{number:02}", "cat" if number == 29 else "")
    async with StorageClient("http://storage", fake) as storage:
        first = await words.search(storage, words.words_of("cat"), None, 5)
        assert (first.concepts, first.scanned, first.next) == ([], 20, "19")
        rest = await words.search(storage, words.words_of("cat"), first.next, 5)
        assert (rest.concepts, rest.scanned, rest.next) == ([Concept("29", "cat")], 10, None)


async def test_a_search_ends_in_time(fake: FakeStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "PAGE", 1)
    for number in range(5):
        fake.add(f"{number}", "")
    ticks = iter([0.0, 0.999, 1.0])
    async with StorageClient("http://storage", fake) as storage:
        result = await words.search(storage, words.words_of("cat"), None, 5, ticks.__next__)
    assert (result.scanned, result.next) == (2, "1")


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("", "query.q: field required"),
        ("q=", "query.q: string should have at least 1 character"),
        ("q=%20-!", "query.q: must hold a word: letters, digits or _"),
        (f"q={'x' * 257}", "query.q: string should have at most 256 characters"),
        ("q=x&limit=101", "query.limit: input should be less than or equal to 100"),
    ],
)
async def test_bad_searches(api: httpx.AsyncClient, query: str, detail: str) -> None:
    answer = await api.get(f"/search?{query}")
    assert answer.json() == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": detail,
    }
