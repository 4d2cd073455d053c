"""The instructions of a Dockerfile, without what is only text below them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

# a heredoc's beginning, and the line that ends it; a shift, as in $((1<<n)), has no such line
HEREDOC = re.compile(r"(?<![<A-Za-z_)])<<(-?)\s*(['\"]?)([A-Za-z_][\w.]*)\2")
WITH_HEREDOCS = ("RUN", "COPY", "ADD")


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield each instruction with its operands in one line, without comments and heredocs."""
    lines = text.splitlines()
    number, so_far = 0, ""
    while number < len(lines):
        line = lines[number]
        number += 1
        if line.lstrip().startswith("#"):
            continue
        so_far += line
        if (begun := so_far.rstrip()).endswith("\\") and number < len(lines):
            so_far = f"{begun[:-1]} "
            continue
        word, _, operands = so_far.strip().partition(" ")
        so_far = ""
        if word.upper() in WITH_HEREDOCS:
            number = _after_heredocs(lines, number, operands)
        if word:
            yield word.upper(), operands.strip()


def _after_heredocs(lines: Sequence[str], number: int, operands: str) -> int:
    """Return the number of the line after the texts that an instruction has below itself."""
    for dash, _, end in HEREDOC.findall(operands):
        last = next(
            (
                at
                for at in range(number, len(lines))
                if (lines[at].lstrip("\t") if dash else lines[at]) == end
            ),
            None,
        )
        number = number if last is None else last + 1
    return number
