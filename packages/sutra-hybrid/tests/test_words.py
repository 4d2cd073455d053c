import pytest

from sutra_hybrid.words import Vocabulary, kind_words, words


def test_words_are_lower_case_and_may_be_one_letter() -> None:
    assert words("A cat, 7 Katzen & l'été") == ["a", "cat", "7", "katzen", "l", "été"]
    assert words("!? …") == []


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("capital_of", {"capital", "of"}),
        ("capital-of", {"capital", "of"}),
        ("capital of", {"capital", "of"}),
        ("isPartOf", {"is", "part", "of"}),
        ("HTTPServer", {"http", "server"}),
        ("LIKES", {"likes"}),
        ("mag_Äpfel", {"mag", "äpfel"}),
        ("v2", {"v2"}),
        ("→", set()),
    ],
)
def test_words_of_a_kind(kind: str, expected: set[str]) -> None:
    assert kind_words(kind) == expected


def test_a_vocabulary_has_room_for_so_many_words() -> None:
    vocabulary = Vocabulary(3)
    assert vocabulary("a b a") == ["a", "b", "a"]
    assert vocabulary("c d") == ["c"]
    assert vocabulary("d a") == ["a"]
    assert vocabulary.words == {"a", "b", "c"}
