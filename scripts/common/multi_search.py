"""Search bytes for many texts in one vectorised pass."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import hyperscan


class Searcher:
    """Finds every occurrence of `texts`, also where they overlap; in any case if `caseless`.

    Hyperscan takes a few hundred texts at the speed of one; Aho-Corasick with SIMD (Teddy)
    takes 64, and a tenth of the speed from there on.
    """

    def __init__(self, texts: Sequence[bytes], caseless: Sequence[bool] = ()) -> None:
        self._lengths = [len(text) for text in texts]
        cases = caseless or [False] * len(texts)
        self._scan = _Database(
            [_escaped(text) for text in texts],
            [hyperscan.HS_FLAG_CASELESS if case else 0 for case in cases],
        ).scan

    def positions(self, content: bytes) -> list[tuple[int, int]]:
        """Return (which text, where it begins) of each occurrence, in no promised order."""
        places: list[tuple[int, int]] = []
        lengths = self._lengths

        def add(which: int, _start: int, end: int, _flags: int, _context: object) -> None:
            places.append((which, end - lengths[which]))

        self._scan(content, add)
        return places


class _Database:
    """Patterns that are searched for at once, by as many threads as want to."""

    def __init__(self, patterns: Sequence[bytes], flags: Sequence[int]) -> None:
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        self._database.compile(expressions=patterns, ids=list(range(len(patterns))), flags=flags)
        self._scratch = threading.local()  # memory of one search: each thread has its own

    def scan(self, content: bytes, on_match: Callable[..., bool | None]) -> None:
        """Call `on_match` with each match: (pattern, its begin or 0, its end, flags, context)."""
        scratch = getattr(self._scratch, "own", None)
        if scratch is None:
            scratch = self._scratch.own = hyperscan.Scratch(self._database)
        self._database.scan(content, match_event_handler=on_match, scratch=scratch)


def found_in(texts: Sequence[bytes]) -> Callable[[bytes], set[int]]:
    """Return a function that returns which of `texts` bytes hold, by their numbers."""
    once = [hyperscan.HS_FLAG_SINGLEMATCH] * len(texts)
    database = _Database([_escaped(text) for text in texts], once)

    def which(content: bytes) -> set[int]:
        numbers = set[int]()
        database.scan(content, lambda number, *_: numbers.add(number))
        return numbers

    return which


def _escaped(text: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in text)
