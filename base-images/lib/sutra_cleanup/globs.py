"""Match a manifest's globs against many paths at little cost.

A glob names components of a path, and matches at any depth: `numpy/tests/` is
every folder of that name with all that is in it, `*.pyi` every such file. `./`
in front ties it to the top of the tree. `**` matches any number of folders;
`*`, `?` and `[…]` stay within one component.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Glob:
    """One glob as it was written. Raises ValueError for one that could leave the tree."""

    text: str

    def __post_init__(self) -> None:
        problem = _problem(self.text)
        if problem:
            raise ValueError(problem)

    @property
    def is_folder(self) -> bool:
        """Return whether it names folders, and so everything below them."""
        return self.text.endswith("/")

    @cached_property
    def folder(self) -> re.Pattern[str]:
        """The pattern of the folder: the file's, or the named folder itself."""
        parts = self._parts if self.is_folder else self._parts[:-1]
        return re.compile(self._start + _components(parts), re.DOTALL)

    @cached_property
    def name(self) -> str:
        """The expression for the last component, of a glob that names files."""
        return _component(self._parts[-1])

    def matches(self, path: str) -> bool:
        """Return whether `path` ("numpy/tests/x.py", no leading slash) falls under it."""
        folder, _, name = path.rpartition("/")
        if self.is_folder:
            parts = folder.split("/") if folder else []
            return any(
                self.folder.fullmatch("".join(f"{part}/" for part in parts[:end]))
                for end in range(1, len(parts) + 1)
            )
        within = folder + "/" if folder else ""
        return bool(self.folder.fullmatch(within) and re.fullmatch(self.name, name, re.DOTALL))

    def reaches_into(self, folder: str) -> bool:
        """Return whether its first components name `folder` ("numpy/") and others what is below."""
        return any(
            re.fullmatch(self._start + _components(self._parts[:end]), folder, re.DOTALL)
            for end in range(1, len(self._parts))
        )

    @property
    def _parts(self) -> list[str]:
        return self.text.removeprefix("./").rstrip("/").split("/")

    @property
    def _start(self) -> str:
        return "" if self.text.startswith("./") else "(?:.*/)?"


def _problem(text: str) -> str:
    parts = text.removeprefix("./").rstrip("/").split("/")
    stars = all(part in ("", "*", "**") for part in parts) and text not in ("./*", "./*/")
    if stars and (text == "/" or not text.startswith("/")):
        return "matches everything"
    if text.startswith("/"):
        return "absolute"
    if ".." in parts:
        return "leaves the tree"
    if "" in parts or "." in parts or "\0" in text:
        return "not a path"
    if any("**" in part and part != "**" for part in parts) or parts[-1] == "**":
        return "** must be a whole path component; end with / to match everything in a folder"
    return ""


def _components(parts: Iterable[str]) -> str:
    """Return the expression for a folder's path, each component with its slash."""
    return "".join("(?:[^/]+/)*" if part == "**" else _component(part) + "/" for part in parts)


def _component(part: str) -> str:
    """Return the expression for one component; brackets follow fnmatch's rules."""
    out, position = "", 0
    while position < len(part):
        char = part[position]
        end = _closing(part, position) if char == "[" else -1
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif end > 0:
            # "(?s:[a-z])\\Z" without what surrounds it
            out += "(?!/)" + fnmatch.translate(part[position : end + 1])[4:-3]
            position = end
        else:
            out += re.escape(char)
        position += 1
    return out


def _closing(part: str, opening: int) -> int:
    """Return where the bracket that opens there is closed, or -1."""
    start = opening + 1
    start += part.startswith("!", start)
    start += part.startswith("]", start)
    return part.find("]", start)


@dataclass(frozen=True)
class Folder:
    """The matches in one folder: the label that covers all of it, and the names that matter."""

    covered: int | None
    names: re.Pattern[str] | None
    labels: tuple[int, ...]


class Matcher:
    """Many labelled globs at once: a label is a number.

    Where several match, an outer folder's wins, then the first in order.
    """

    def __init__(self, globs: Iterable[tuple[int, Glob]]) -> None:
        pairs = list(globs)
        self._folders = [(label, glob) for label, glob in pairs if glob.is_folder]
        self._files = [(label, glob) for label, glob in pairs if not glob.is_folder]
        self._compiled: dict[tuple[int, ...], re.Pattern[str] | None] = {}

    def root(self) -> Folder:
        """Return what holds at the top of the tree."""
        return self._folder("", None)

    def enter(self, above: Folder, path: str) -> Folder:
        """Return what holds in the folder `path` ("numpy/tests/"), given its parent."""
        covered = above.covered
        if covered is None:
            covered = next((n for n, glob in self._folders if glob.folder.fullmatch(path)), None)
        return self._folder(path, covered)

    def _folder(self, path: str, covered: int | None) -> Folder:
        active = tuple(
            index for index, (_, glob) in enumerate(self._files) if glob.folder.fullmatch(path)
        )
        if active not in self._compiled:
            sources = (f"({self._files[index][1].name})" for index in active)
            self._compiled[active] = re.compile("|".join(sources), re.DOTALL) if active else None
        labels = tuple(self._files[index][0] for index in active)
        return Folder(covered, self._compiled[active], labels)

    @staticmethod
    def match(folder: Folder, name: str) -> int | None:
        """Return the label of the first glob that the file `name` falls under, or None."""
        if folder.covered is not None:
            return folder.covered
        match = folder.names.fullmatch(name) if folder.names else None
        return folder.labels[match.lastindex - 1] if match and match.lastindex else None
