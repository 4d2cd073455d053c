"""Files of packages that other files name: a literal path in an import or a require.

A package loads many files only when they are needed, which loading it does not show.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from ..tree import Entry, Plan
from .packages import of

SCRIPTS = (".js", ".cjs", ".mjs")
# suffixes that Node.js loads; other names, such as those of types in comments, are for other tools
LOADED = (*SCRIPTS, ".json", ".node")
# endings that complete a path: https://nodejs.org/api/modules.html, "All together"
_COMPLETED = ("", ".js", ".json", ".node", "/index.js", "/index.json", "/index.node")
_NAMED = re.compile(
    rb"""(?:\brequire\s*\(\s*|\bimport\s*\(\s*|\bfrom\s*|\bimport\s*)"""
    rb"""(?:'([^'\n\\]{1,400})'|"([^"\n\\]{1,400})")"""
)


@dataclass(frozen=True)
class Link:
    """A file, and another that it names."""

    file: str
    target: str


class Files:
    """The files of a tree, to find those that a name leads to."""

    def __init__(self, entries: Collection[Entry]) -> None:
        self._paths = frozenset(entry.path for entry in entries)

    @cached_property
    def _folders(self) -> frozenset[str]:
        """The folder of every package that has a file in the tree."""
        return frozenset(package.folder for path in self._paths if (package := of(path)))

    def target(self, file: str, name: str) -> str | None:
        """Return the file that `name` leads to from `file`; None where it leads to none."""
        place = self._place(file, name)
        if place is None:
            return None
        candidates = (f"{place}{end}".lstrip("/") for end in _COMPLETED)
        return next((path for path in candidates if path in self._paths), None)

    def _place(self, file: str, name: str) -> str | None:
        folder = posixpath.dirname(file)
        if name.startswith(("./", "../")) or name in (".", ".."):
            place = posixpath.normpath(posixpath.join(folder, name))
            return None if place.startswith("..") else place
        package = of(f"{name}/x")
        if package is None or f"{package.name}/" == f"{name}/" or package.above:
            return None  # a package as a whole: what it offers is loaded
        for above in _above(folder):
            if f"{above}{package.name}/" in self._folders:
                return f"{above}{name}"
        return None


def _above(folder: str) -> Iterator[str]:
    """Yield the folders of packages that a file in `folder` sees, the nearest first."""
    parts = folder.split("/") if folder else []
    for end in range(len(parts), 0, -1):
        if parts[end - 1] != "node_modules":
            yield "/".join((*parts[:end], "node_modules", ""))
    yield ""


def broken(plan: Plan) -> Iterator[tuple[Link, int]]:
    """Yield what staying files name and what leaves, with the number of the rule."""
    files = Files(plan.entries)
    leaving = {entry.path: entry.removed or 0 for entry in plan.leaving}
    for entry in plan.staying:
        if not entry.path.endswith(SCRIPTS) or entry.is_link:
            continue
        for name in _names(plan, entry.path):
            target = files.target(entry.path, name)
            if target in leaving and target.endswith(LOADED):
                yield Link(entry.path, target), leaving[target]


def _names(plan: Plan, path: str) -> list[str]:
    """Return the literal names in a script, each once."""
    with open(f"{os.fspath(plan.tree)}/{path}", "rb") as file:
        matches = _NAMED.findall(file.read())
    names = (quoted or bare for quoted, bare in matches)
    return sorted({name.decode("utf-8", "surrogateescape") for name in names})
