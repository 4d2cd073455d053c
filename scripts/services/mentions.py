"""Files that still name a service that is gone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from scripts.common import git
from scripts.common.git import GitError
from scripts.services.words import Words, line_of


def left(words: Words) -> Iterator[str]:
    """Yield a line for each file of the checkout with its first place; none without git.

    CHANGELOG.md tells of the past.
    """
    try:
        names = git.ask("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    except GitError:
        return
    for name in sorted({os.fsdecode(each) for each in names.split(bytes(1)) if each}):
        if name != "CHANGELOG.md" and (line := line_of(_text(Path(name)), words)):
            yield f"still names it: {name}:{line}"


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
