"""Which of several texts bytes hold: all of them looked for in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ahocorasick_rs import BytesAhoCorasick, MatchKind


def any_of(texts: Sequence[bytes]) -> Callable[[bytes], bool]:
    """Return a function that tells whether bytes hold one of `texts`."""
    # of this kind alone the library has its vectorised search (Teddy): where texts overlap
    # it reports one of them, which is all that is asked
    found = BytesAhoCorasick(texts, matchkind=MatchKind.LeftmostFirst)
    return lambda content: bool(found.find_matches_as_indexes(content))


def found_in(texts: Sequence[bytes]) -> Callable[[bytes], set[int]]:
    """Return a function that tells which of `texts` bytes hold, by their numbers.

    Of texts that overlap it may report one alone.
    """
    found = BytesAhoCorasick(texts, matchkind=MatchKind.LeftmostFirst)
    return lambda content: {match[0] for match in found.find_matches_as_indexes(content)}
