"""A search for many texts at once finds the same as a search for each alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scripts.common.multi_search import Searcher, found_in

TEXTS = st.lists(st.binary(min_size=1, max_size=4), min_size=1, max_size=6, unique=True)


def each_alone(texts: list[bytes], content: bytes) -> list[tuple[int, int]]:
    return [
        (number, at)
        for number, text in enumerate(texts)
        for at in range(len(content))
        if content.startswith(text, at)
    ]


@given(TEXTS, st.binary(max_size=40))
def test_every_occurrence_is_a_position(texts: list[bytes], tail: bytes) -> None:
    content = texts[0] + tail + texts[-1]
    assert sorted(Searcher(texts).positions(content)) == each_alone(texts, content)
    assert found_in(texts)(content) == {number for number, _ in each_alone(texts, content)}


def test_case_is_ignored_only_where_asked() -> None:
    searcher = Searcher([b"key", b"Token"], [True, False])
    assert sorted(searcher.positions(b"KEY token Token")) == [(0, 0), (1, 10)]


def test_bytes_that_patterns_give_a_meaning_are_plain() -> None:
    assert Searcher([b".*\n("]).positions(b"abc.*\n(") == [(0, 3)]
