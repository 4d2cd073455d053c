"""What `make seccomp` shows of the difference between a profile and a recording."""

from __future__ import annotations

from scripts.checks.runtime.seccomp_recording import Recorded
from scripts.commands import seccomp


def lines(before: set[str], wanted: set[str], *seen: str) -> list[str]:
    recorded = Recorded(frozenset(seen))
    return list(seccomp.differences(frozenset(before), frozenset(wanted), recorded))


def test_no_difference_is_no_line() -> None:
    assert lines({"read"}, {"read"}, "read") == []


def test_a_call_that_is_added_says_whether_it_was_seen() -> None:
    assert lines({"read"}, {"read", "openat", "open"}, "read", "openat") == [
        "+ open, for what was seen or for all services",
        "+ openat",
    ]


def test_what_was_not_seen_stays_and_is_named() -> None:
    assert lines({"read", "mkdir", "rename"}, {"read"}, "read") == [
        "allowed and not seen, remove by hand what nobody needs: mkdir, rename"
    ]
