"""Bytes that are pulled and stored but never seen."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.checks.contents.rule import Finding, Rule, Subject, quoted


def wasted(subject: Subject) -> Iterator[Finding]:
    """Find files that a later layer overwrites or removes; the largest first."""
    for entry, _ in sorted(subject.image.wasted, key=lambda pair: -pair[0].size):
        if entry.size:
            text = f"overwritten or removed by a later layer {quoted(entry.path)}"
            yield Finding(entry.path, text, entry.size)


RULES = (
    Rule("wasted", "no bytes of files that a later layer overwrites or removes", wasted, "bytes"),
)
