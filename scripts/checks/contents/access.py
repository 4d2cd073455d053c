"""The rights of the image's user to a file: by its mode, and by the folders that lead to it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.checks.contents.rule import Subject
    from scripts.image.inventory import Entry

READ, WRITE, RUN = 4, 2, 1
# a user that no account file knows: no container starts, and nothing is its own
NOBODY = -1


class Access:
    """The rights of the image's USER; root may read everything."""

    def __init__(self, subject: Subject) -> None:
        self._subject, self._image = subject, subject.image
        self._closed: dict[str, str] = {}

    @cached_property
    def uid(self) -> int:
        """The number of the user: given as one, or by its name in etc/passwd."""
        name = self._subject.user.partition(":")[0] or "0"
        if name.isdecimal() and len(name) <= 10:
            return int(name)
        return next((int(row[2]) for row in self._rows("etc/passwd") if row[0] == name), NOBODY)

    @cached_property
    def gids(self) -> frozenset[int]:
        """The numbers of the user's groups, as runc finds them (libcontainer/user)."""
        _, _, group = self._subject.user.partition(":")
        if group.isdecimal() and len(group) <= 10:
            return frozenset({int(group)})
        if group:
            return frozenset(int(row[2]) for row in self._rows("etc/group") if row[0] == group)
        account = next((row for row in self._rows("etc/passwd") if int(row[2]) == self.uid), None)
        if account is None:
            return frozenset({0})
        also = (
            row for row in self._rows("etc/group") if account[0] in "".join(row[3:4]).split(",")
        )
        own = {int(account[3])} if "".join(account[3:4]).isdecimal() else set()
        return frozenset({*own, *(int(row[2]) for row in also)})

    def may(self, entry: Entry, right: int) -> bool:
        """Return whether the user has READ, WRITE or RUN on an entry: as owner, group or other."""
        if self.uid == 0:
            return right != RUN or entry.kind == "folder" or bool(entry.mode & 0o111)
        if entry.uid == self.uid:
            return bool(entry.mode >> 6 & right)
        return bool(entry.mode >> (3 if entry.gid in self.gids else 0) & right)

    def closed(self, path: str) -> str:
        """Return the first folder on the way to `path` that the user cannot pass, or "".

        A folder without an entry of its own is made by the engine, open to everybody.
        """
        for folder in self._image.walk(path)[:-1]:
            if folder not in self._closed:
                entry = self._image.files.get(folder)
                shut = entry and entry.kind == "folder" and not self.may(entry, RUN)
                self._closed[folder] = folder if shut else ""
            if self._closed[folder]:
                return folder
        return ""

    def reads(self, path: str) -> bool:
        """Return whether the user can open a file that is there."""
        entry = self._image.resolve(path)
        return entry is not None and self.may(entry, READ) and not self.closed(path)

    def _rows(self, file: str) -> Iterator[list[str]]:
        """Yield the fields of an account file's lines that have a number in the third."""
        for line in (self._image.text(file) or "").splitlines():
            row = line.split(":")
            if len(row) > 2 and row[2].isdecimal() and len(row[2]) <= 10:
                yield row
