import random

import pytest

from stores import corpus
from sutra_hybrid.graph import Edge, Graph

TEXTS = dict.fromkeys("abcd", "x")
A, B, C, D = range(4)


def test_no_associations() -> None:
    graph = Graph(corpus(TEXTS))
    assert len(graph) == 0
    assert list(graph.edges(A, 9)) == []
    assert graph.named(frozenset({"is"})) == {}


def test_both_ends_see_an_association() -> None:
    graph = Graph(corpus(TEXTS, [("a", "b", "is", 0.3)]))
    assert len(graph) == 1
    assert list(graph.edges(A, 9)) == [Edge(B, "is", 0.3, True)]
    assert list(graph.edges(B, 9)) == [Edge(A, "is", 0.3, False)]


def test_the_strongest_come_first_then_by_concept_kind_and_direction() -> None:
    links = [
        ("a", "c", "z", 0.5),
        ("a", "c", "b", 0.5),
        ("c", "a", "b", 0.5),
        ("a", "b", "z", 0.5),
        ("d", "a", "is", 0.9),
    ]
    expected = [
        Edge(D, "is", 0.9, False),
        Edge(B, "z", 0.5, True),
        Edge(C, "b", 0.5, True),
        Edge(C, "b", 0.5, False),
        Edge(C, "z", 0.5, True),
    ]
    for seed in range(5):
        shuffled = random.Random(seed).sample(links, len(links))
        assert list(Graph(corpus(TEXTS, shuffled)).edges(A, 9)) == expected
    assert list(Graph(corpus(TEXTS, links)).edges(A, 2)) == expected[:2]


def test_only_some_kinds() -> None:
    graph = Graph(corpus(TEXTS, [("a", "b", "likes", 1), ("a", "c", "part_of", 0.1)]))
    named = graph.named(frozenset({"what", "is", "a", "part", "of"}))
    assert list(named.values()) == [{"part", "of"}]
    assert list(graph.edges(A, 1, named)) == [Edge(C, "part_of", 0.1, True)]
    assert graph.named(frozenset({"part"})) == {}
    assert list(graph.edges(A, 9, {})) == []


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan")])
def test_without_a_weight_there_is_no_association(weight: float) -> None:
    assert len(Graph(corpus(TEXTS, [("a", "b", "is", weight)]))) == 0


def test_an_association_of_an_unknown_concept_is_left_out() -> None:
    assert len(Graph(corpus(TEXTS, [("a", "e", "is", 1), ("e", "a", "is", 1)]))) == 0
