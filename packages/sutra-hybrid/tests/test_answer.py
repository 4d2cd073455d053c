import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stores import Link, corpus, snapshot
from sutra_hybrid.answer import MAX_STEPS, Answer, Asked
from sutra_hybrid.graph import Graph

TEXTS = {
    "europe": "Europe",
    "france": "France",
    "paris": "Paris",
    "seine": "A river in Paris",
}
LINKS = [
    ("paris", "france", "capital_of", 0.9),
    ("france", "europe", "part_of", 0.8),
    ("seine", "paris", "flows_through", 0.5),
]


def ask(question: str, texts: dict[str, str] = TEXTS, links: Sequence[Link] = LINKS) -> Answer:
    answer, _ = snapshot(texts, links).answer(question, 10)
    assert answer
    return answer


def path(answer: Answer, texts: dict[str, str] = TEXTS) -> list[str]:
    """Return ids, and between them the kind and the direction: ["a", "is>", "b", "<of", "c"]."""
    ids, shown = sorted(texts), []
    for step in answer.steps:
        if step.edge:
            shown.append(f"{step.edge.kind}>" if step.edge.forward else f"<{step.edge.kind}")
        shown.append(ids[step.concept])
    return shown


def test_nothing_similar() -> None:
    assert snapshot(TEXTS, LINKS).answer("zebra", 10) == (None, [])
    assert snapshot({}).answer("zebra", 10) == (None, [])


def test_the_most_similar_concept_answers() -> None:
    answer = ask("the river")
    assert path(answer) == ["seine"]
    assert answer.confidence == snapshot(TEXTS).similar("the river", 1)[0][1]


def test_a_named_kind_is_followed() -> None:
    answer = ask("what is Paris the capital of")
    assert path(answer) == ["paris", "capital_of>", "france"]
    assert answer.confidence == 0.9  # Paris alone is known of the question: similarity 1


def test_a_named_kind_is_followed_backwards() -> None:
    assert path(ask("the capital of France")) == ["france", "<capital_of", "paris"]


def test_several_named_kinds_are_followed() -> None:
    answer = ask("Paris is the capital of which part of what")
    assert path(answer) == ["paris", "capital_of>", "france", "part_of>", "europe"]
    assert answer.confidence == 0.72


def test_a_kind_in_the_words_of_the_concept_itself_is_not_named() -> None:
    texts = {"a": "Paris is the capital of France", "b": "something else"}
    links = [("a", "b", "capital_of", 1.0)]
    assert path(ask("what is the capital of France", texts, links), texts) == ["a"]


def test_a_weak_association_loses_to_a_similar_concept() -> None:
    texts = {"a": "Paris", "b": "France", "c": "Paris Hilton"}
    links = [("a", "b", "capital_of", 0.01)]
    assert path(ask("Paris the capital of", texts, links), texts) == ["c"]


def test_the_path_from_another_part_of_the_question_explains() -> None:
    """France is not more similar than Paris, but comes first; the question holds both."""
    texts = {"1": "France", "2": "Europe", "3": "Asia"}
    links = [("1", "2", "part_of", 0.5), ("1", "3", "trades_with", 0.9), ("3", "2", "borders", 0.9)]
    answer = ask("France Europe", texts, links)
    assert path(answer, texts) == ["2", "<borders", "3", "<trades_with", "1"]
    assert [step.edge.weight for step in answer.steps if step.edge] == [0.9, 0.9]
    assert answer.confidence == pytest.approx(0.707107, abs=1e-6)


def test_a_cycle_ends() -> None:
    texts = {"a": "cat", "b": "dog", "c": "owl"}
    links = [("a", "b", "likes", 1.0), ("b", "c", "likes", 1.0), ("c", "a", "likes", 1.0)]
    links += [("a", "a", "likes", 1.0)]
    # each kind once: one association on, the alphabetically first of two equally strong ones
    assert path(ask("cat likes", texts, links), texts) == ["a", "likes>", "b"]


def test_not_further_than_so_many_associations() -> None:
    texts = {str(n): f"word{n}" for n in range(9)}
    links = [(str(n), str(n + 1), f"kind{n}", 1.0) for n in range(8)]
    question = "word0 " + " ".join(f"kind{n}" for n in range(8))
    assert len(ask(question, texts, links).steps) == MAX_STEPS + 1


def test_a_hub_answers_within_bounds() -> None:
    texts = {"hub": "hub", **{f"{n:05}": f"leaf{n}" for n in range(3000)}}
    links = [("hub", f"{n:05}", kind, 1.0) for n in range(3000) for kind in ("has", "owns")]
    assert path(ask("what has hub", texts, links), texts) == ["hub", "has>", "00000"]


weights = st.floats(0, 1, allow_nan=False)
ids = st.integers(0, 5).map(str)
kinds = st.sampled_from(["is", "likes", "part_of"])
links = st.lists(st.tuples(ids, ids, kinds, weights), max_size=12, unique_by=lambda row: row[:3])
SMALL = {str(n): text for n, text in enumerate(["cat", "dog", "cat dog", "owl", "part", "mouse"])}
questions = st.lists(
    st.sampled_from(["cat", "dog", "owl", "is", "likes", "part", "of", "mouse"]), max_size=6
).map(" ".join)


@settings(deadline=None, max_examples=150, derandomize=True, database=None)
@given(questions, links)
def test_any_store(question: str, some: list[Link]) -> None:
    whole = snapshot(SMALL, some)
    answer, matches = whole.answer(question, 10)
    assert (answer is None) == (not matches)
    if answer is None:
        return
    assert 0 < answer.confidence <= 1
    if len(answer.steps) == 1:
        assert answer.confidence == dict(matches)[answer.steps[0].concept]
    concepts = [step.concept for step in answer.steps]
    assert len(concepts) == len(set(concepts)) <= MAX_STEPS + 1
    stored = {(source, target, kind): round(weight, 5) for source, target, kind, weight in some}
    for before, step in zip(answer.steps, answer.steps[1:], strict=False):
        assert step.edge
        ends = [str(before.concept), str(step.concept)]
        source, target = ends if step.edge.forward else ends[::-1]
        assert stored[source, target, step.edge.kind] == pytest.approx(step.edge.weight, abs=2e-5)


@settings(deadline=None, max_examples=150, derandomize=True, database=None)
@given(
    questions,
    links,
    st.lists(st.tuples(st.integers(0, 5), weights, weights), min_size=1, unique_by=lambda r: r[0]),
)
def test_confidence_never_falls_when_similarities_rise(
    question: str, some: list[Link], similarities: list[tuple[int, float, float]]
) -> None:
    graph, texts = Graph(corpus(SMALL, some)), list(SMALL.values())
    low = [(concept, min(pair)) for concept, *pair in similarities]
    high = [(concept, max(pair)) for concept, *pair in similarities]
    before = Asked(question, low, texts, graph).answer()
    after = Asked(question, high, texts, graph).answer()
    assert before
    assert after
    assert 0 < before.confidence <= after.confidence <= 1


@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(
    st.dictionaries(ids, st.sampled_from(list(SMALL.values()) * 2)), links, questions, st.randoms()
)
def test_the_order_of_writing_does_not_matter(
    texts: dict[str, str], some: list[Link], question: str, chance: random.Random
) -> None:
    shuffled = dict(chance.sample(list(texts.items()), len(texts)))
    first = snapshot(texts, some)
    second = snapshot(shuffled, chance.sample(some, len(some)))
    assert (first.ids, first.texts, first.digest) == (second.ids, second.texts, second.digest)
    assert first.answer(question, 3) == second.answer(question, 3)
