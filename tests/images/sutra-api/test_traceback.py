"""Our own modules keep their sources, so that a traceback shows the line that failed."""

from __future__ import annotations

from collections.abc import Callable

FAIL = """
import traceback
from sutra_api import words
try:
    words.fold(None)
except TypeError:
    print(*(line.strip() for line in traceback.format_exc().splitlines()), sep="\\n")
"""


def test_a_traceback_shows_the_line_of_our_application(python: Callable[[str, str], str]) -> None:
    shown = python("sutra-api", FAIL).splitlines()
    assert 'return unicodedata.normalize("NFKC", text).casefold()' in shown
