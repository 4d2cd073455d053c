import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sutra_client.storage import Concept
from sutra_hybrid.index import MAX_COMPONENTS, Index, build

WORDS = [
    f"{adjective}{noun}"
    for adjective in ("red", "big", "old", "shy")
    for noun in ("cat", "dog", "owl", "fox")
]


def concepts(count: int, seed: int = 1) -> list[Concept]:
    chance = random.Random(seed)
    return [Concept(f"c{n:04}", " ".join(chance.choices(WORDS, k=6))) for n in range(count)]


def test_no_concepts() -> None:
    assert build([]) == Index()
    assert build([]).query("cat", 5) == []


def test_texts_without_words() -> None:
    index = build([Concept("a", ""), Concept("b", "!?")])
    assert index.model is None
    assert index.query("cat", 5) == []


def test_one_concept() -> None:
    index = build([Concept("a", "A cat")])
    assert index.query("the cat", 5) == [("a", pytest.approx(0.707107, abs=1e-6))]
    assert index.query("a cat", 5) == [("a", 1.0)]
    assert index.query("dog", 5) == []
    assert index.query("", 5) == []


def test_words_of_one_character_count() -> None:
    assert build([Concept("x", "x y"), Concept("c", "C 7")]).query("7", 5)[0][0] == "c"


def test_the_best_comes_first_and_k_limits() -> None:
    index = build([Concept("a", "red cat"), Concept("b", "cat"), Concept("c", "blue dog")])
    assert [concept_id for concept_id, _ in index.query("cat", 5)] == ["b", "a"]
    assert [concept_id for concept_id, _ in index.query("cat", 1)] == ["b"]


def test_equal_scores_are_in_id_order() -> None:
    index = build([Concept(concept_id, "same text") for concept_id in "dbca"])
    assert index.query("same", 9) == [(concept_id, 0.707107) for concept_id in "abcd"]


def test_the_svd_is_for_enough_documents_and_terms() -> None:
    few, many = build(concepts(15)), build(concepts(60))
    assert few.model
    assert few.model.svd is None
    assert many.model
    assert many.model.svd
    assert many.model.svd.n_components == len(WORDS) - 1
    lots = build(Concept(f"{n}", f"w{n} w{n + 1}") for n in range(300))
    assert lots.model
    assert lots.model.svd
    assert lots.model.svd.n_components == MAX_COMPONENTS


def test_many_equal_texts() -> None:
    text = " ".join(WORDS)
    index = build([Concept(f"{n:02}", text) for n in range(40)])
    assert index.query(text, 2)[0][1] == 1.0


def test_the_same_concepts_give_the_same_answers() -> None:
    given_order = concepts(300)
    shuffled = random.Random(2).sample(given_order, len(given_order))
    first, second, third = build(given_order), build(given_order), build(shuffled)
    for text in ("redcat", "bigdog oldowl shyfox", "shycat shycat redowl"):
        found = first.query(text, 50)
        assert found
        assert found == second.query(text, 50) == third.query(text, 50)


def test_a_text_finds_itself_first() -> None:
    index = build([*concepts(80), Concept("zebra", "striped zebra savanna")])
    assert index.query("striped zebra savanna", 3)[0][0] == "zebra"


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(st.lists(st.text(max_size=40), max_size=30), st.text(max_size=40), st.integers(1, 100))
def test_any_texts(texts: list[str], question: str, k: int) -> None:
    found = build(Concept(str(n), text) for n, text in enumerate(texts)).query(question, k)
    scores = [score for _, score in found]
    assert len(found) <= min(k, len(texts))
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)
