from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sutra_service.client.fields import check_id, check_kind, check_text, is_shallow, path_segment


@pytest.mark.parametrize("value", ["a", "a/b", ".", "..", "é" * 256, "100 %", "日本"])
def test_good_ids(value: str) -> None:
    assert check_id(value) == value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "must be 1 to 512 bytes, is 0"),
        ("a" * 513, "must be 1 to 512 bytes, is 513"),
        ("é" * 257, "must be 1 to 512 bytes, is 514"),
        ("a\nb", "must not hold control characters"),
        ("\x00", "must not hold control characters"),
        ("\x85", "must not hold control characters"),
    ],
)
def test_bad_ids(value: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        check_id(value)


def test_a_kind_has_at_most_64_bytes() -> None:
    assert check_kind("k" * 64)
    with pytest.raises(ValueError, match=r"^must be 1 to 64 bytes, is 65$"):
        check_kind("k" * 65)


def test_a_text_has_at_most_65536_bytes() -> None:
    assert check_text("é" * 32_768)
    with pytest.raises(ValueError, match=r"^must be at most 65536 bytes, is 65538$"):
        check_text("é" * 32_769)


# without Cs all that is left is UTF-8; for a codec by name, hypothesis would try every character
@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1))
def test_an_id_is_one_segment_that_a_url_keeps(concept_id: str) -> None:
    segment = path_segment(concept_id)
    url = httpx.URL(f"http://storage/concepts/{segment}/associations")
    parts = url.raw_path.decode().split("/")
    assert parts == ["", "concepts", segment, "associations"]
    assert unquote(segment, errors="strict") == concept_id


@pytest.mark.parametrize("concept_id", [".", "..", "%2F", "a/../b", "?x#y"])
def test_ids_that_urls_like_to_eat(concept_id: str) -> None:
    url = httpx.URL(f"http://storage/concepts/{path_segment(concept_id)}")
    assert unquote(url.raw_path.decode().split("/")[2]) == concept_id


@pytest.mark.parametrize(
    ("value", "levels"),
    [({}, 1), ([], 1), ({"a": 1}, 1), ({"a": []}, 2), ([1, [{}, 2], {"a": {"b": [3]}}], 4)],
)
def test_levels(value: dict[str, object] | list[object], levels: int) -> None:
    assert is_shallow(value, levels)
    assert not is_shallow(value, levels - 1)
