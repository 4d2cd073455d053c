"""Every layout that the formatter leaves alone has its reason beside it."""

from __future__ import annotations

import re

from tests.conftest import ROOT
from tests.support.tracked import tracked

SKIP = re.compile(r"# fmt: (?:skip|off)\b(?! # \w)")


def bare(text: str) -> list[int]:
    """Return the numbers of the lines that give no reason."""
    return [number for number, line in enumerate(text.splitlines(), 1) if SKIP.search(line)]


def test_every_skipped_layout_has_a_reason() -> None:
    texts = {name: (ROOT / name).read_text() for name in tracked("*.py")}
    assert {name: lines for name, text in texts.items() if (lines := bare(text))} == {}
    assert re.search(r"# fmt: (?:skip|off) # \w", texts["tests/unit/image/secret_corpus.py"])


def test_a_layout_without_a_reason_is_noticed() -> None:
    marks = ("skip", "skip # a table", "skip #", "off", "on")
    assert bare("\n".join(f")  # fmt: {mark}" for mark in marks)) == [1, 3, 4]
