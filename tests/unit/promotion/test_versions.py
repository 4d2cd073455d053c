from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from scripts.common.errors import SutraError
from scripts.common.reference import TAG
from scripts.promotion.versions import LATEST, is_version, of_tags, parse, tags_of

EXAMPLE = "such as VERSION=1.4.2, or VERSION=1.4.2rc1 before it"


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("1.4.2", "1.4.2"),
        ("v1.4.2", "1.4.2"),
        ("0.0.0", "0.0.0"),
        ("1.4.2rc1", "1.4.2rc1"),
        ("1.4.2-rc.1", "1.4.2rc1"),
        ("1.4.2-alpha.1", "1.4.2a1"),
        ("1.4.2.dev3", "1.4.2.dev3"),
        ("1.4.2.post1", "1.4.2.post1"),
        (" 1.04.2\n", "1.4.2"),
    ],
)
def test_a_version_becomes_its_normal_form(text: str, tag: str) -> None:
    assert str(parse(text)) == tag


@pytest.mark.parametrize(
    ("text", "message", "tip"),
    [
        ("", 'VERSION: not a version ""', EXAMPLE),
        ("banana", 'VERSION: not a version "banana"', EXAMPLE),
        ("1.4.2/../x", 'VERSION: not a version "1.4.2/../x"', EXAMPLE),
        ("1.4.2:latest", 'VERSION: not a version "1.4.2:latest"', EXAMPLE),
        ("1.4.2 1", 'VERSION: not a version "1.4.2 1"', EXAMPLE),
        ("1.4.²", 'VERSION: not a version "1.4.²"', EXAMPLE),
        ("a\nb\x1b[31m", 'VERSION: not a version "a\\nb\\x1b[31m"', EXAMPLE),
        ("1.4", 'VERSION: not major.minor.patch "1.4"', EXAMPLE),
        ("1", 'VERSION: not major.minor.patch "1"', EXAMPLE),
        ("1.4.2.1", 'VERSION: not major.minor.patch "1.4.2.1"', EXAMPLE),
        ("1!1.4.2", 'VERSION: not major.minor.patch "1!1.4.2"', EXAMPLE),
        ("1.4.2+b5", 'VERSION: a tag cannot hold "+" "1.4.2+b5"', 'leave "+b5" out'),
        (
            "1.4.2-1",
            'VERSION: a pre-release to semver, a post-release to PEP 440 "1.4.2-1"',
            'write "1.4.2.post1", or a pre-release as "1.4.2rc1"',
        ),
        (
            "1.4.2-post1",
            'VERSION: a pre-release to semver, a post-release to PEP 440 "1.4.2-post1"',
            'write "1.4.2.post1", or a pre-release as "1.4.2rc1"',
        ),
        ("1.4." + "2" * 4301, "VERSION: longer than the 128 characters of a tag", EXAMPLE),
        ("0" * 5000, "VERSION: longer than the 128 characters of a tag", EXAMPLE),
        ("1.4." + "2" * 123 + "c", "VERSION: longer than the 128 characters of a tag", EXAMPLE),
        ("1.4." + "2" * 125, "VERSION: longer than the 128 characters of a tag", EXAMPLE),
    ],
)
def test_a_text_that_is_not_a_version_is_refused(text: str, message: str, tip: str) -> None:
    with pytest.raises(SutraError) as caught:
        parse(text)
    assert (caught.value.message, caught.value.tip) == (message, tip)


def test_the_longest_tag_is_taken() -> None:
    text = "1.4." + "2" * 124
    assert str(parse(text)) == text


@given(st.text())
def test_any_text_is_a_tag_or_one_line(text: str) -> None:
    try:
        said, whole = str(parse(text)), bool(TAG.fullmatch(str(parse(text))))
    except SutraError as error:
        said, whole = error.message, error.message.isprintable()
    assert whole, said


@pytest.mark.parametrize(
    ("version", "others", "tags"),
    [
        ("1.4.2", [], ["1.4.2", "1.4", "1", "latest"]),
        ("1.4.2", ["1.4.2"], ["1.4.2", "1.4", "1", "latest"]),
        ("1.4.2", ["1.4.1", "0.9.0"], ["1.4.2", "1.4", "1", "latest"]),
        ("1.3.9", ["1.4.2"], ["1.3.9", "1.3"]),
        ("1.3.9", ["1.3.10", "1.4.2"], ["1.3.9"]),
        ("1.9.0", ["1.10.0"], ["1.9.0", "1.9"]),
        ("1.4.3", ["2.0.0"], ["1.4.3", "1.4", "1"]),
        ("1.4.2", ["v1.4.3"], ["1.4.2"]),
        ("1.4.2", ["v1.5.0", "v2.0.0-rc.1", "vv9.0.0", "V3.0.0"], ["1.4.2", "1.4"]),
        ("1.4.2", ["v1.4.2", "v1.4"], ["1.4.2", "1.4", "1", "latest"]),
        ("1.4.2rc1", [], ["1.4.2rc1"]),
        ("1.4.2.dev1", [], ["1.4.2.dev1"]),
        ("1.4.2", ["1.4.3rc1", "2.0.0a1"], ["1.4.2", "1.4", "1", "latest"]),
        ("1.4.2", ["1.4.2.post1"], ["1.4.2"]),
        ("1.4.2.post1", ["1.4.2"], ["1.4.2.post1", "1.4", "1", "latest"]),
        ("0.0.1", [], ["0.0.1", "0.0", "0", "latest"]),
    ],
)
def test_floating_tags_move_only_forward(version: str, others: list[str], tags: list[str]) -> None:
    assert tags_of(parse(version), of_tags(others)) == tags


NUMBERS = st.tuples(*[st.integers(0, 3)] * 3).map(lambda numbers: ".".join(map(str, numbers)))


@given(st.lists(NUMBERS, min_size=1, unique=True))
def test_in_any_order_each_floating_tag_ends_on_the_newest(versions: list[str]) -> None:
    on: dict[str, str] = {}
    for done, version in enumerate(versions):
        on.update(dict.fromkeys(tags_of(parse(version), of_tags(versions[:done])), version))
    for tag, version in on.items():
        covered = [text for text in versions if tag in (LATEST, text) or text.startswith(tag + ".")]
        assert version == max(covered, key=Version)


def test_tags_that_are_not_versions_are_ignored() -> None:
    tags = ["latest", "prod", "dev", "1", "1.4", "kept-123456789012", "01.4.2", "1.4.2", "2.0.0rc1"]
    assert of_tags(tags) == {Version("1.4.2"), Version("2.0.0rc1")}
    assert [tag for tag in tags if is_version(tag)] == ["1.4.2", "2.0.0rc1"]
