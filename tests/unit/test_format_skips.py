"""Every layout that the formatter leaves alone has its reason beside it."""

from __future__ import annotations

import re
import subprocess

from tests.conftest import ROOT

SKIP = re.compile(r"# fmt: (?:skip|off)\b(?! # \w)")


def bare(text: str) -> list[int]:
    """Return the numbers of the lines that give no reason."""
    return [number for number, line in enumerate(text.splitlines(), 1) if SKIP.search(line)]


def test_every_skipped_layout_has_a_reason() -> None:
    names = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    texts = {name: (ROOT / name).read_text() for name in names}
    assert {name: lines for name, text in texts.items() if (lines := bare(text))} == {}
    assert re.search(r"# fmt: (?:skip|off) # \w", texts["tests/unit/image/secret_corpus.py"])


def test_a_layout_without_a_reason_is_noticed() -> None:
    marks = ("skip", "skip # a table", "skip #", "off", "on")
    assert bare("\n".join(f")  # fmt: {mark}" for mark in marks)) == [1, 3, 4]
