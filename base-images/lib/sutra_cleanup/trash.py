"""Changes that can be undone: no file is lost before the result is proven.

What leaves the tree is moved aside, in the order in which it left, each with the
name of the rule or step that moved it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .errors import CleanupError
from .tree import show


@dataclass(frozen=True)
class Change:
    """One file that was moved aside: who did it, and where it stood in the tree.

    `added` are the files that were put into the tree instead of it; `path` is empty
    where they took nothing's place.
    """

    cause: str
    path: str
    added: tuple[str, ...] = ()


class Trash:
    """A folder beside the tree that holds what left it, as a context: gone afterwards.

    It stays where an error ends the context before everything was put back.
    """

    def __init__(self, tree: Path) -> None:
        self._tree = os.fspath(tree)
        self._aside = f"{self._tree.rstrip('/')}.cleanup-{os.getpid()}"
        self.changes: list[Change] = []
        self._out: dict[int, str] = {}
        self._modes: dict[str, int] = {}

    def __enter__(self) -> Trash:
        os.mkdir(self._aside)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, _: object) -> None:
        if kind is not None and self._out:
            raise CleanupError(
                f"cleanup: {len(self._out)} changes of the tree could not be undone: "
                f'{kind.__name__}: {error}: the originals are in "{show(self._aside)}"',
                "build the tree again, or move them back by hand",
            )
        shutil.rmtree(self._aside)

    def move(self, cause: str, path: str, added: tuple[str, ...] = ()) -> None:
        """Take `path` out of the tree. `added` are files that the caller puts in its place."""
        number = len(self.changes)
        self.changes.append(Change(cause, path, added))
        self._out[number] = path  # before it is: an interrupt may come in between
        os.rename(self._at(path), self._kept(number))
        if not added:
            self._prune(path)

    def standing(self) -> list[int]:
        """Return the numbers of the changes that are not undone."""
        return sorted(self._out)

    def spare(self, name: str) -> str:
        """Return a path beside the tree for a file that is to be put into it."""
        return f"{self._aside}/{name}"

    def rewrite(self, cause: str, path: str, data: bytes) -> None:
        """Put a file with `data`, and the same mode, in the place of `path`."""
        ready = self.spare(f"{cause}-{len(self.changes)}")
        Path(ready).write_bytes(data)
        os.chmod(ready, os.stat(self._at(path)).st_mode)
        self.move(cause, path, added=(path,))
        os.rename(ready, self._at(path))

    def add(self, cause: str, added: str, ready: str) -> None:
        """Move the file `ready` into the tree as `added`, a path that does not exist yet."""
        number = len(self.changes)
        self.changes.append(Change(cause, "", (added,)))
        self._folders(os.path.dirname(added))
        self._out[number] = ""
        os.rename(ready, self._at(added))

    def put_back(self, numbers: Iterable[int]) -> None:
        """Undo those changes, the last one first."""
        for number in sorted(numbers, reverse=True):
            change = self.changes[number]
            if change.path and not os.path.lexists(self._kept(number)):
                del self._out[number]  # interrupted before it was out, or after it was back
                continue
            for target in change.added:
                if os.path.lexists(self._at(target)):
                    os.rename(
                        self._at(target), f"{self._kept(number)}.{change.added.index(target)}"
                    )
                    self._prune(target)
            if change.path:
                self._folders(os.path.dirname(change.path))
                os.rename(self._kept(number), self._at(change.path))
            del self._out[number]

    def take_out_again(self, numbers: Iterable[int]) -> None:
        """Do those changes again, in their order."""
        for number in sorted(numbers):
            change = self.changes[number]
            self._out[number] = change.path
            if change.path:
                os.rename(self._at(change.path), self._kept(number))
            for index, target in enumerate(change.added):
                if os.path.lexists(f"{self._kept(number)}.{index}"):
                    self._folders(os.path.dirname(target))
                    os.rename(f"{self._kept(number)}.{index}", self._at(target))
            if not change.added:
                self._prune(change.path)

    def put_all_back(self) -> None:
        """Undo every change that is not undone yet."""
        self.put_back(list(self._out))

    def original(self, number: int) -> str:
        """Return where the file of that change is kept."""
        return self._kept(number)

    def _prune(self, path: str) -> None:
        """Remove the folders above `path` that are empty now: Python would import those.

        A folder without files is a namespace package, so that what is gone would
        still seem to be there.
        """
        folder = os.path.dirname(path)
        while folder and not os.listdir(self._at(folder)):
            self._modes[folder] = os.stat(self._at(folder)).st_mode
            os.rmdir(self._at(folder))
            folder = os.path.dirname(folder)

    def _folders(self, folder: str) -> None:
        """Make a folder and those above it again, with the rights that they had."""
        missing = []
        while folder and not os.path.isdir(self._at(folder)):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for path in reversed(missing):
            os.mkdir(self._at(path))
            os.chmod(self._at(path), self._modes.get(path, 0o755))

    def _at(self, path: str) -> str:
        return f"{self._tree}/{path}"

    def _kept(self, number: int) -> str:
        return f"{self._aside}/{number}"
