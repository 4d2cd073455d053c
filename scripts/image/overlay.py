"""Layers laid over each other, as a container sees them: whiteouts applied, later ones win.

A file may have several names (hard links). Its bytes are there as long as one name is.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from scripts.common.errors import SutraError
from scripts.image.entry import Entry

# bytes of memory that one folder takes beside its name, and that all of them may take
FOLDER = 300
MAX_FOLDERS = 96 << 20


@dataclass(frozen=True, slots=True)
class VisibleFile:
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
        self.visible: dict[str, VisibleFile] = {}
        self.wasted: list[VisibleFile] = []
        self._names: Counter[int] = Counter()
        self._last = 0
        # folder → what was put directly into it; folders that no entry names are there too
        self._inside: dict[str, dict[str, None]] = {}
        self._size = 0

    def apply(self, number: int, entries: Sequence[Entry]) -> None:
        """Remove what the layer's whiteouts name of the layers below, then add its entries."""
        gone = {entry.path: None for entry in entries if entry.kind == "whiteout"}
        emptied = {entry.path: None for entry in entries if entry.kind == "opaque"}
        for path in (*gone, *emptied, *self._replaced(entries)):
            if path in gone:
                self._remove(path)
            if path != "." or path in emptied:
                self._empty(path)
        for entry in entries:
            if entry.kind not in ("whiteout", "opaque"):
                self._add(number, entry)

    def _replaced(self, entries: Sequence[Entry]) -> list[str]:
        """Return the folders below in whose place the layer has something else.

        Not every builder writes an entry for a folder: one may be there by its files alone.
        """
        return [
            entry.path
            for entry in entries
            if entry.kind not in ("folder", "whiteout", "opaque")
            and entry.path in self._inside
            and (entry.path not in self.visible or self.visible[entry.path].entry.kind == "folder")
        ]

    def _empty(self, folder: str) -> None:
        """Remove all that is inside of a folder, in work for what is there alone."""
        paths = [folder]
        while paths:
            for path in self._inside.pop(paths.pop(), ()):
                self._remove(path)
                paths.append(path)

    def _place(self, path: str) -> None:
        """Note in which folder `path` is, and those in which that one is."""
        while path != ".":
            folder = posixpath.dirname(path) or "."
            if (inside := self._inside.get(folder)) is not None:
                inside[path] = None
                return
            self._inside[folder] = {path: None}
            self._size += FOLDER + len(folder)
            if self._size > MAX_FOLDERS:
                raise SutraError(
                    f"layers: folders that take more than {MAX_FOLDERS} bytes",
                    "ordinary images are smaller; inspect its layers",
                )
            path = folder

    def _add(self, number: int, entry: Entry) -> None:
        if entry.kind == "hardlink" and entry.link in self.visible:
            if entry.link != entry.path:
                self._link(entry)
            return
        below = self.visible.get(entry.path)
        if entry.kind == "folder" and below and below.entry.kind == "folder":
            self.visible[entry.path] = replace(below, entry=entry, file=entry, layer=number)
            return
        self._remove(entry.path)
        self._last += 1
        self._put(VisibleFile(entry, entry, number, self._last))

    def _link(self, entry: Entry) -> None:
        """Give the file at `entry.link` one more name."""
        first = self.visible[entry.link]
        self._remove(entry.path)
        if first.file.kind == "file":
            named = replace(first.file, path=entry.path, kind="hardlink", link=entry.link, size=0)
        else:  # a second name of a symlink or a device is one, too
            named = replace(first.entry, path=entry.path)
        self._put(replace(first, entry=named))

    def _put(self, visible: VisibleFile) -> None:
        self.visible[visible.entry.path] = visible
        self._place(visible.entry.path)
        self._names[visible.inode] += 1

    def _remove(self, path: str) -> None:
        below = self.visible.pop(path, None)
        if below:
            self._names[below.inode] -= 1
            if not self._names[below.inode] and below.file.kind == "file":
                self.wasted.append(below)

    def files(self) -> dict[str, Entry]:
        """Return entries by path. One name of each file has its size, the others link to it."""
        first = {
            visible.inode: path
            for path, visible in self.visible.items()
            if visible.entry.kind == "file"
        }
        regular = {}
        for path, visible in self.visible.items():
            entry = visible.entry
            if entry.kind == "hardlink" and visible.file.kind == "file":
                # the name that came with the bytes may be gone
                at = first.setdefault(visible.inode, path)
                entry = replace(visible.file, path=path) if at == path else replace(entry, link=at)
            regular[path] = entry
        return regular


def parents(paths: Iterable[str]) -> set[str]:
    """Return all folders that `paths` lead through."""
    folders = {"."}
    for path in paths:
        while (path := posixpath.dirname(path)) and path not in folders:
            folders.add(path)
    return folders
