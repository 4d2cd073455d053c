"""The files of a build's context that its .dockerignore leaves out.

Patterns are those of moby/patternmatcher: the last one that matches a path, or a folder above it,
decides; "!" takes back in.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NAME = ".dockerignore"
HERE = Path()


@dataclass(frozen=True)
class Ignored:
    """What a context leaves out: patterns in order, each with whether it takes back in."""

    context: str = "."
    patterns: tuple[tuple[re.Pattern[str], bool], ...] = ()

    def has(self, file: str) -> bool:
        """Return whether a file of the repository never gets into the build."""
        path = posixpath.relpath(file, self.context)
        is_out = False
        for pattern, takes_in in self.patterns:
            if any(pattern.fullmatch(name) for name in _with_folders(path)):
                is_out = not takes_in
        return is_out


def read(context: str, dockerfile: str, folder: Path = HERE) -> Ignored:
    """Return what a context leaves out; a Dockerfile's own list comes before the context's."""
    for name in (f"{dockerfile}{NAME}", posixpath.join(context, NAME)):
        try:
            text = (folder / name).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):  # an unreadable list leaves nothing out
            continue
        return Ignored(context, tuple(_patterns(text)))
    return Ignored(context)


def _patterns(text: str) -> Iterator[tuple[re.Pattern[str], bool]]:
    for line in text.splitlines():
        pattern = line.strip()
        if not pattern or line.startswith("#"):
            continue
        takes_in = pattern.startswith("!")
        place = posixpath.normpath(pattern.removeprefix("!").strip()).lstrip("/")
        try:
            yield re.compile(_expression(place), re.DOTALL), takes_in
        except re.error:  # "[b-a]", with which no build begins
            continue


def _expression(pattern: str) -> str:
    """Return the regular expression of a pattern: "**" is any folders, "*" and "?" no "/"."""
    parts = re.split(r"(\*\*/?|\*|\?|\[[^\]]*\])", pattern)
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(
        words.get(part) or (part if part.startswith("[") else re.escape(part)) for part in parts
    )


def _with_folders(path: str) -> Iterator[str]:
    """Yield a path and each folder above it."""
    while path:
        yield path
        path = posixpath.dirname(path)
