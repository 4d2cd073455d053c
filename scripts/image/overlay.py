"""Layers laid over each other, as a container sees them: whiteouts applied, later ones win.

A file may have several names (hard links). Its bytes are there as long as one name is.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from scripts.image.layer_entries import Entry


@dataclass(frozen=True, slots=True)
class Seen:
    """The content of one name: `file` is the entry with the bytes, of the layer `layer`.

    `inode` is the same for all names of one file.
    """

    entry: Entry
    file: Entry
    layer: int
    inode: int


class Overlay:
    """The names that are seen after the layers so far, and the files that no name is left of."""

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        self.wasted: list[Seen] = []
        self._names: Counter[int] = Counter()
        self._last = 0

    def apply(self, number: int, entries: Sequence[Entry]) -> None:
        """Remove what the layer's whiteouts name of the layers below, then add its entries."""
        gone = {entry.path for entry in entries if entry.kind == "whiteout"}
        emptied = {entry.path for entry in entries if entry.kind == "opaque"} | self._replaced(
            entries
        )
        if gone or emptied:
            for path in [path for path in self.seen if _under(path, gone, emptied)]:
                self._remove(path)
        for entry in entries:
            if entry.kind not in ("whiteout", "opaque"):
                self._add(number, entry)

    def _replaced(self, entries: Sequence[Entry]) -> set[str]:
        """Return the folders below in whose place the layer has something else.

        Not every builder writes an entry for a folder: one may be there by its files alone.
        """
        others = {
            entry.path
            for entry in entries
            if entry.kind not in ("folder", "whiteout", "opaque")
            and (entry.path not in self.seen or self.seen[entry.path].entry.kind == "folder")
        }
        return others & parents(self.seen) if others and self.seen else set()

    def _add(self, number: int, entry: Entry) -> None:
        if entry.kind == "hardlink" and entry.link in self.seen:
            if entry.link != entry.path:
                self._link(entry)
            return
        below = self.seen.get(entry.path)
        if entry.kind == "folder" and below and below.entry.kind == "folder":
            self.seen[entry.path] = replace(below, entry=entry, file=entry, layer=number)
            return
        self._remove(entry.path)
        self._last += 1
        self._put(Seen(entry, entry, number, self._last))

    def _link(self, entry: Entry) -> None:
        """Give the file at `entry.link` one more name."""
        first = self.seen[entry.link]
        self._remove(entry.path)
        if first.file.kind == "file":
            named = replace(first.file, path=entry.path, kind="hardlink", link=entry.link, size=0)
        else:  # a second name of a symlink or a device is one, too
            named = replace(first.entry, path=entry.path)
        self._put(replace(first, entry=named))

    def _put(self, seen: Seen) -> None:
        self.seen[seen.entry.path] = seen
        self._names[seen.inode] += 1

    def _remove(self, path: str) -> None:
        below = self.seen.pop(path, None)
        if below:
            self._names[below.inode] -= 1
            if not self._names[below.inode] and below.file.kind == "file":
                self.wasted.append(below)

    def files(self) -> dict[str, Entry]:
        """Return entries by path. One name of each file has its size, the others link to it."""
        first = {each.inode: path for path, each in self.seen.items() if each.entry.kind == "file"}
        found = {}
        for path, each in self.seen.items():
            entry = each.entry
            if entry.kind == "hardlink" and each.file.kind == "file":
                # the name that came with the bytes may be gone
                at = first.setdefault(each.inode, path)
                entry = replace(each.file, path=path) if at == path else replace(entry, link=at)
            found[path] = entry
        return found


def parents(paths: Iterable[str]) -> set[str]:
    """Return all folders that `paths` lead through."""
    found = {"."}
    for path in paths:
        while (path := posixpath.dirname(path)) and path not in found:
            found.add(path)
    return found


def _under(path: str, gone: set[str], emptied: set[str]) -> bool:
    """Return whether `path` is in `gone`, or inside of anything in `gone` or `emptied`."""
    if path in gone:
        return True
    while path := posixpath.dirname(path):
        if path in gone or path in emptied:
            return True
    return "." in emptied
