from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common import reference
from scripts.common.errors import SutraError
from scripts.common.reference import Reference

HEX = "0123456789abcdef" * 4
DIGEST = f"sha256:{HEX}"
HUB = "docker.io"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("debian", (HUB, "library/debian", "", "")),
        ("debian:trixie-slim", (HUB, "library/debian", "trixie-slim", "")),
        ("docker.io/debian", (HUB, "library/debian", "", "")),
        ("docker.io/library/debian", (HUB, "library/debian", "", "")),
        ("index.docker.io/library/debian:1", (HUB, "library/debian", "1", "")),
        ("me/api", (HUB, "me/api", "", "")),
        ("library", (HUB, "library/library", "", "")),
        ("library/me/api", (HUB, "library/me/api", "", "")),
        ("localhost/api:1", ("localhost", "api", "1", "")),
        ("localhost:5000/api", ("localhost:5000", "api", "", "")),
        ("localhost:5000", (HUB, "library/localhost", "5000", "")),
        ("host.example/a/b/c:v1.4_2-rc", ("host.example", "a/b/c", "v1.4_2-rc", "")),
        ("host.example:65535/a", ("host.example:65535", "a", "", "")),
        ("Host/api", ("Host", "api", "", "")),
        ("127.0.0.1:5000/api:1", ("127.0.0.1:5000", "api", "1", "")),
        ("[::1]/api", ("[::1]", "api", "", "")),
        ("[::1]:5000/api:1", ("[::1]:5000", "api", "1", "")),
        ("[FE80::192.0.2.1]:5000/api", ("[FE80::192.0.2.1]:5000", "api", "", "")),
        (f"api@{DIGEST}", (HUB, "library/api", "", DIGEST)),
        (f"host:5000/api:1@{DIGEST}", ("host:5000", "api", "1", DIGEST)),
        (f"api:{'t' * 127}", (HUB, "library/api", "t" * 127, "")),
        (f"api:{'t' * 128}", (HUB, "library/api", "t" * 128, "")),
        ("api:Upper_TAG", (HUB, "library/api", "Upper_TAG", "")),
        ("a__b/c-----d/e.f/g_h", (HUB, "a__b/c-----d/e.f/g_h", "", "")),
        (f"h.io/{'r' * 255}", ("h.io", "r" * 255, "", "")),
        (f"{HEX}:1", (HUB, f"library/{HEX}", "1", "")),
        (f"h.io/{HEX}", ("h.io", HEX, "", "")),
    ],
)
def test_the_parts_of_a_reference(text: str, parts: tuple[str, str, str, str]) -> None:
    assert reference.parse(text) == Reference(*parts)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no lower-case name in"),
        ("Debian", "no lower-case name in"),
        ("host.example/Api", "no lower-case name in"),
        ("/api", "no lower-case name in"),
        ("api/", "no lower-case name in"),
        ("a//b", "no lower-case name in"),
        ("host.example/", "no lower-case name in"),
        ("-api", "no lower-case name in"),
        ("api-", "no lower-case name in"),
        ("a..b", "no lower-case name in"),
        ("a___b", "no lower-case name in"),
        ("a._b", "no lower-case name in"),
        ("a b", "no lower-case name in"),
        ("api\n", "no lower-case name in"),
        ("münchen", "no lower-case name in"),
        ("host/../api", "no lower-case name in"),
        (":1", "no lower-case name in"),
        (f"@{DIGEST}", "no lower-case name in"),
        ("api:", "no tag of 1 to 128 characters in"),
        ("api:-1", "no tag of 1 to 128 characters in"),
        ("api:.1", "no tag of 1 to 128 characters in"),
        ("api:a:b", "no lower-case name in"),
        ("api:é", "no tag of 1 to 128 characters in"),
        (f"api:{'t' * 129}", "no tag of 1 to 128 characters in"),
        ("<none>:<none>", "no tag of 1 to 128 characters in"),
        ("<none>@<none>", "no sha256 digest in"),
        ("api@", "no sha256 digest in"),
        (f"api@{HEX}", "no sha256 digest in"),
        (f"api@sha256:{HEX.upper()}", "no sha256 digest in"),
        (f"api@sha256:{HEX[1:]}", "no sha256 digest in"),
        (f"api@{DIGEST}0", "no sha256 digest in"),
        (f"api@{DIGEST}@{DIGEST}", "no sha256 digest in"),
        (f"api@{DIGEST}:1", "no sha256 digest in"),
        ("host:port/api", "no host or host:port before"),
        ("host:/api", "no host or host:port before"),
        ("host:0/api", "no host or host:port before"),
        ("host:65536/api", "no host or host:port before"),
        ("host:999999999999/api", "no host or host:port before"),
        ("host:٥/api", "no host or host:port before"),
        ("my_host:5000/api", "no host or host:port before"),
        ("-host.example/api", "no host or host:port before"),
        ("host..example/api", "no host or host:port before"),
        ("http://host.example/api", "no host or host:port before"),
        ("::1/api", "no host or host:port before"),
        ("[::g]/api", "no host or host:port before"),
        ("[1:2]/api", "no host or host:port before"),
        ("[127.0.0.1]/api", "no host or host:port before"),
        (f"h.io/{'r' * 256}", "more than 255 characters in"),
        (HEX, "an id and no name in"),
    ],
)
def test_a_text_that_is_not_a_reference(text: str, problem: str) -> None:
    with pytest.raises(SutraError) as caught:
        reference.parse(text)
    shown = text.replace("\n", "�")
    assert caught.value.message == f'image reference: {problem} "{shown}"'
    assert caught.value.tip == "name it as name:tag or host/name:tag"
    assert reference.read(text) is None


@pytest.mark.parametrize(
    ("text", "registry"),
    [("registry/api:1", "registry"), ("a/b/c", "a"), ("h:1/b@" + DIGEST, "h:1")],
)
def test_a_caller_may_know_that_the_first_part_is_a_registry(text: str, registry: str) -> None:
    assert reference.parse(text, has_registry=True).registry == registry


@pytest.mark.parametrize("text", ["api", "api:1", "/api"])
def test_a_caller_may_want_a_registry(text: str) -> None:
    with pytest.raises(SutraError) as caught:
        reference.parse(text, has_registry=True)
    assert caught.value.message == f'image reference: no registry in "{text}"'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("docker.io/library/debian:1", "debian:1"),
        ("docker.io/me/api", "me/api"),
        ("library/me/api", "library/me/api"),
        (f"[::1]:5000/a/b:1@{DIGEST}", f"[::1]:5000/a/b:1@{DIGEST}"),
        (f"api@{DIGEST}", f"api@{DIGEST}"),
    ],
)
def test_a_reference_is_written_as_the_engine_writes_it(text: str, shown: str) -> None:
    assert str(reference.parse(text)) == shown


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("sutra-api:prod", "sutra-api"),
        ("h:5000/me/sutra-api:1.4", "h:5000/me/sutra-api"),
        ("docker.io/library/sutra-api:1", "sutra-api"),
        ("sutra-api", None),
        ("h:5000/sutra-api", None),
        (f"sutra-api@{DIGEST}", None),
        (f"sutra-api:1@{DIGEST}", None),
        ("<none>:<none>", None),
    ],
)
def test_only_a_name_with_a_tag_is_tagged(text: str, name: str | None) -> None:
    named = reference.tagged(text)
    assert (named.name if named else None) == name


@given(st.text(alphabet="aB1:/@._-[]\n", max_size=30))
def test_what_is_read_is_written_and_read_again_the_same(text: str) -> None:
    named = reference.read(text)
    if named is not None:
        assert reference.parse(str(named)) == named


@pytest.mark.parametrize(
    ("place", "is_good"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("host.example/a/b", True),
        ("[::1]:5000/me", True),
        ("host", False),
        ("me/api", False),
        ("localhost/", False),
        ("localhost:5000/me:1", False),
        ("localhost:99999", False),
    ],
)
def test_a_place_is_a_registry_or_a_path_in_one(place: str, is_good: bool) -> None:
    assert reference.is_place(place) is is_good


def test_people_know_a_digest_by_twelve_digits() -> None:
    assert reference.short(DIGEST) == "0123456789ab"
    assert reference.digits(DIGEST) == HEX
