"""Find secrets by their formats, listed in secret_formats.toml."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_suffix(".toml")
# characters allowed between the parts of a key: line ends, also escaped ones, signs of comments and
# quotations, and the joints between string literals of a program's source
JUNK = r"""(?:[\s"'`,#*;|>]|\\+(?:[nr]|x0[ad]|u000[ad])?|(?<=["'`\s])[+.&](?=\s{0,40}["'`]))"""
# longest text that `back` of a format looks at
BACK = 128
# positions of one format that are looked at one by one; more are left to `re`
FEW = 16_384
# values that documentation shows; of AWS, Stripe, jwt.io, Google and Vagrant by their hash
_SHOWN = re.compile(
    rb"(?i)example|placeholder|redacted|dummy|your[_-]?(?:own|api|key|token|secret)|x{8}|\*{8}|0{16}"
)


@dataclass(frozen=True)
class Format:
    """One format. `strict_regex` is for text; `loose_regex` for programs, where strings touch.

    Few formats are met in an image: each is compiled when it is.
    """

    name: str
    kind: str
    starts: tuple[bytes, ...]
    strict_regex: bytes
    tail: bytes
    loose_regex: bytes
    back_regex: bytes
    is_shown: bool  # documentation of packages shows such ones
    is_caseless: bool
    stands_alone: bool
    is_ours: bool  # looked for only in our own texts
    source: str

    @cached_property
    def strict(self) -> re.Pattern[bytes]:
        """What a text must match."""
        return re.compile(self.strict_regex)

    @cached_property
    def loose(self) -> re.Pattern[bytes]:
        """What a program must match."""
        return re.compile(self.loose_regex)

    @cached_property
    def back(self) -> re.Pattern[bytes] | None:
        """What must be before a match, None where anything may be."""
        return re.compile(self.back_regex) if self.back_regex else None

    def matches(self, content: bytes, positions: Sequence[int], in_program: bool) -> bool:
        """Return whether the format matches at one of the `positions` of its start."""
        pattern = self.loose if in_program else self.strict
        candidates: Iterable[re.Match[bytes] | None] = (
            (pattern.match(content, at) for at in positions)
            if len(positions) <= FEW
            else pattern.finditer(content, min(positions))
        )
        free = in_program and not self.stands_alone
        return any(match is not None and self._holds(match, free) for match in candidates)

    def anywhere(self, text: bytes) -> bool:
        """Return whether the format matches anywhere in a text."""
        if not self.starts:
            return any(self._holds(match, False) for match in self.strict.finditer(text))
        positions = [at for start in self.starts for at in _positions(start, text)]
        return bool(positions) and self.matches(text, positions, False)

    def _holds(self, match: re.Match[bytes], free: bool) -> bool:
        """Return whether a match is one: no sample, and in a program no word by chance."""
        before = match.string[max(0, match.start() - BACK) : match.start()]
        if self.back and not self.back.search(before):
            return False
        token: bytes = match[0]
        if _SHOWN.search(token) or _hash(token) in _known_hashes():
            return False
        return not free or self.kind == "private key" or _is_apart(match) or _is_random(token)


def _positions(start: bytes, text: bytes) -> Iterator[int]:
    at = text.find(start)
    while at >= 0:
        yield at
        at = text.find(start, at + len(start))


def _is_apart(match: re.Match[bytes]) -> bool:
    """Return whether no word's character touches a match."""
    around = match.string[max(0, match.start() - 1) : match.start()]
    around += match.string[match.end() : match.end() + 1]
    return not re.search(rb"\w", around)


def _is_random(token: bytes) -> bool:
    """Return whether it has digits, or letters of both cases as no words have them."""
    return (
        any(48 <= byte < 58 for byte in token)
        or min(sum(65 <= byte < 91 for byte in token), sum(97 <= byte < 123 for byte in token))
        >= len(token) // 4
    )


def kinds(
    content: bytes,
    positions: Iterable[tuple[int, int]],
    in_program: bool = False,
    shown: bool = False,
) -> set[str]:
    """Return the kinds of secret whose format is somewhere in `content`.

    `positions` are where the searched() texts are, as Searcher gives them. `shown`: the text is
    a package's documentation, in which some formats have samples.
    """
    hits: dict[int, list[int]] = defaultdict(list)
    for which, at in positions:
        for number in _owners()[which]:
            hits[number].append(at)
    listed = formats()
    return {
        listed[number].kind
        for number, places in hits.items()
        if not (shown and listed[number].is_shown)
        and listed[number].matches(content, places, in_program)
    }


def kinds_slowly(content: bytes, in_program: bool = False) -> Iterator[str]:
    """Yield what `kinds` returns, each format looked for alone: what it is checked against."""
    lowered = content.lower()
    for secret_format in formats():
        for start in () if secret_format.is_ours else secret_format.starts:
            text, sought = (
                (lowered, start.lower()) if secret_format.is_caseless else (content, start)
            )
            positions = [at for at in range(len(text)) if text.startswith(sought, at)]
            if any(secret_format.matches(content, [at], in_program) for at in positions):
                yield secret_format.kind


def kinds_of_ours(text: bytes) -> set[str]:
    """Return the kinds in a text of our own whose formats are looked for nowhere else."""
    may_have = bool(_without_start().search(text))
    return {
        secret_format.kind
        for secret_format in formats()
        if secret_format.is_ours
        and (secret_format.starts or may_have)
        and secret_format.anywhere(text)
    }


@cache
def _without_start() -> re.Pattern[bytes]:
    """Return what each format without a start matches; one pass is quicker than one for each."""
    tails = b"|".join(secret_format.tail for secret_format in formats() if not secret_format.starts)
    return re.compile(rb"(?<!\w)(?:%b)" % tails)


def prepare() -> None:
    """Compile what is looked for in every text of ours."""
    _without_start()


def searched() -> tuple[tuple[bytes, bool], ...]:
    """Return the texts that `kinds` wants the positions of, and whether each is in any case."""
    return tuple(_texts())


@cache
def formats() -> tuple[Format, ...]:
    """Return all formats."""
    return tuple(_format(row) for row in _data()["format"])


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(DATA.read_text(encoding="utf-8"))


@cache
def _known_hashes() -> frozenset[str]:
    return frozenset(_data()["public"]["sha256"])


def _hash(token: bytes) -> str:
    return hashlib.sha256(token).hexdigest()


def _format(row: dict[str, Any]) -> Format:
    starts = tuple(start.encode("latin-1") for start in row["starts"])
    begin = b"|".join(re.escape(start) for start in starts)
    begin = b"(?i:%b)" % begin if row.get("caseless") else b"(?:%b)" % begin
    tail = _regex(row["rest"])
    before, after = row.get("before", ""), row.get("after", "")
    if not starts and not before.startswith(r"\w"):  # _without_start would miss it
        raise ValueError(f"{DATA}: {row['name']}: before: without a start it must begin with \\w")
    strict = (_regex(f"(?<![{before}])") if before else b"") + begin + tail
    strict += _regex(f"(?![{after}])") if after else b""
    alone = bool(row.get("alone"))
    loose = strict if alone else begin + _regex(row.get("loose", row["rest"]))
    return Format(
        row["name"],
        row["kind"],
        starts,
        strict,
        tail,
        loose,
        _regex(f"(?:{row['back']})\\Z") if "back" in row else b"",
        bool(row.get("sample")),
        bool(row.get("caseless")),
        alone,
        bool(row.get("ours")) or not starts,
        row["source"],
    )


def _regex(text: str) -> bytes:
    return text.replace("{junk}", JUNK).encode("latin-1")


@cache
def _texts() -> dict[tuple[bytes, bool], tuple[int, ...]]:
    """Return the formats, by number, that begin with a text in this or in any case."""
    numbers_of: dict[tuple[bytes, bool], list[int]] = defaultdict(list)
    for number, secret_format in enumerate(formats()):
        for start in () if secret_format.is_ours else secret_format.starts:
            numbers_of[start, secret_format.is_caseless].append(number)
    return {text: tuple(numbers) for text, numbers in numbers_of.items()}


@cache
def _owners() -> tuple[tuple[int, ...], ...]:
    return tuple(_texts().values())
