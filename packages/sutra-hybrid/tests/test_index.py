import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sutra_hybrid import index as index_module
from sutra_hybrid.index import LEAST, MAX_COMPONENTS, Index
from sutra_hybrid.words import Vocabulary

WORDS = [
    f"{adjective}{noun}"
    for adjective in ("red", "big", "old", "shy")
    for noun in ("cat", "dog", "owl", "fox")
]


def texts(count: int, seed: int = 1) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.choices(WORDS, k=6)) for _ in range(count)]


def test_no_texts() -> None:
    assert Index([]).query("cat", 5) == []


def test_texts_without_words() -> None:
    assert Index(["", "!?"]).query("cat", 5) == []


def test_one_text() -> None:
    index = Index(["A cat"])
    ((number, score),) = index.query("the cat", 5)
    assert number == 0
    assert score == pytest.approx(0.707107, abs=1e-6)
    assert index.query("a cat", 5) == [(0, 1.0)]
    assert index.query("dog", 5) == []
    assert index.query("", 5) == []


def test_words_of_one_character_count() -> None:
    assert Index(["x y", "C 7"]).query("7", 5)[0][0] == 1


def test_the_best_comes_first_and_k_limits() -> None:
    index = Index(["red cat", "cat", "blue dog"])
    assert [number for number, _ in index.query("cat", 5)] == [1, 0]
    assert [number for number, _ in index.query("cat", 1)] == [1]


def test_equal_scores_are_in_the_order_of_the_texts() -> None:
    same = Index(["same text"] * 4)
    assert same.query("same", 9) == [(number, 0.707107) for number in range(4)]
    assert same.query("same", 2) == [(0, 0.707107), (1, 0.707107)]


@pytest.mark.parametrize("k", [1, 7, 50])
def test_the_first_of_many_equally_good_ones_are_found(
    k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the first have another vector, and the same similarity."""
    monkeypatch.setattr(index_module, "MIN_FOR_SVD", 1000)
    index = Index(["other", *(f"cat x{number}" for number in range(10, 110))])
    matches = index.query("cat", k)
    assert [number for number, _ in matches] == list(range(1, k + 1))
    assert len({score for _, score in matches}) == 1


def test_the_svd_is_for_enough_texts_and_words() -> None:
    assert Index(texts(15)).components == 0
    assert Index(texts(60)).components == len(WORDS) - 1
    assert Index([f"w{n} w{n + 1}" for n in range(300)]).components == MAX_COMPONENTS


def test_words_that_go_together_elsewhere_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """No text has both "kitten" and "cat", but both go with the same words."""
    monkeypatch.setattr(index_module, "MAX_COMPONENTS", 1)
    does = [f"{a} {b}" for a in ("purrs", "meows", "naps") for b in ("softly", "often", "loudly")]
    pairs = [f"{subject} {what}" for subject in ("kitten", "cat") for what in does]
    scores = dict(Index([*pairs, *(f"w{n} w{n + 1}" for n in range(10))]).query("kitten", 30))
    assert [scores[number] for number in range(9, 18)] == [0.5] * 9
    assert all(scores[number] > 0.6 for number in range(9))


def test_a_rare_word_counts_in_many_texts() -> None:
    index = Index([*texts(2000), "zebra redcat bigdog"])
    assert index.query("zebra redcat", 1)[0][0] == 2000


def test_a_text_finds_itself_first() -> None:
    index = Index([*texts(80), "striped zebra savanna"])
    assert index.query("striped zebra savanna", 3)[0] == (80, 1.0)


def test_what_does_not_fit_the_vocabulary_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "Vocabulary", lambda: Vocabulary(2))
    index = Index(["a b", "b c", "c d"])
    assert index.query("c d", 5) == []
    assert [number for number, _ in index.query("b", 5)] == [1, 0]


def test_the_same_texts_give_the_same_answers() -> None:
    first, second = Index(texts(300)), Index(texts(300))
    for text in ("redcat", "bigdog oldowl shyfox", "shycat shycat redowl"):
        matches = first.query(text, 50)
        assert matches
        assert matches == second.query(text, 50)


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(st.lists(st.text(max_size=40), max_size=30), st.text(max_size=40), st.integers(1, 100))
def test_any_texts(given_texts: list[str], question: str, k: int) -> None:
    matches = Index(given_texts).query(question, k)
    scores = [score for _, score in matches]
    assert len(matches) <= min(k, len(given_texts))
    assert matches == sorted(matches, key=lambda match: (-match[1], match[0]))
    assert all(LEAST <= score <= 1 for score in scores)
