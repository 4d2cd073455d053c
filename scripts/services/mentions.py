"""Files that still name a service that is gone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from scripts.common import git
from scripts.common.git import GitError
from scripts.services.shared_files import BAKE
from scripts.services.words import Words, line_of


def remaining(words: Words) -> Iterator[str]:
    """Yield a line for each file of the checkout with its first place; none without git.

    A line that was there before the service is not about it: documents name one as an example.
    CHANGELOG.md tells of the past.
    """
    try:
        names = git.ask("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    except GitError:
        return
    before = _commit_before(words)
    for name in sorted({os.fsdecode(path) for path in names.split(bytes(1)) if path}):
        if name != "CHANGELOG.md" and (line := _place(Path(name), words, before)):
            yield f"still names it: {name}:{line}"


def _place(file: Path, words: Words, before: str) -> int:
    """Return the number of the first line that has the name, and had it not `before`."""
    text = _text(file)
    if not line_of(text, words):
        return 0
    older = set(_committed(before, file).splitlines())
    lines = enumerate(text.splitlines(), 1)
    return next((n for n, line in lines if line_of(line, words) and line not in older), 0)


def _commit_before(words: Words) -> str:
    """Return the last commit before the service was listed, "" where git does not know it."""
    entry = f'name = "{words.name}"'
    if entry not in _committed("HEAD", Path(BAKE)):
        return "HEAD"  # it never was committed
    try:
        listed = git.ask("log", "-1", "--format=%H", f"-S{entry}", "--", BAKE).decode().strip()
        return git.ask("rev-parse", "--verify", f"{listed}^").decode().strip()
    except GitError:  # listed by the first commit, or by one that a shallow clone lacks
        return ""


def _committed(commit: str, file: Path) -> str:
    """Return a file's text in a commit, "" where that has no such file."""
    try:
        text = git.ask("show", f"{commit}:./{file}") if commit else b""
    except GitError:
        return ""
    return text.decode("utf-8", "replace")


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
