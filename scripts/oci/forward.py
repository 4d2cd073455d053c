"""Files over bytes that come once, forwards: an archive, and one entry of it."""

from __future__ import annotations

import tarfile
from typing import Any

from scripts.oci.compression import BLOCK


class Forward:
    """A file for `tarfile` over a stream that is read once: nothing is copied twice.

    Its own mode for streams copies what is left of its buffer for each small file, and reads on
    and on where a header announces 2^60 bytes; here that is the end.
    """

    def __init__(self, file: Any) -> None:
        self._file, self._block, self._place = file, memoryview(b""), 0

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end."""
        parts = []
        while size and (self._block or self._filled()):
            part, self._block = self._block[:size], self._block[size:]
            parts.append(part)
            self._place += len(part)
            size -= len(part)
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)

    def peek(self, size: int) -> bytes:
        """Return what `read` will return next, fewer than `size` bytes only at the end."""
        while len(self._block) < size and (more := self._file.read(BLOCK)):
            self._block = memoryview(bytes(self._block) + more)
        return bytes(self._block[:size])

    def tell(self) -> int:
        """Return how many bytes were read or passed over."""
        return self._place

    def seek(self, place: int) -> None:
        """Pass over what is before `place`, to the end at most; backwards is a StreamError."""
        if place < self._place:
            raise tarfile.StreamError("seeking backwards is not allowed")
        while self._place < place and (self._block or self._filled()):
            passed = min(len(self._block), place - self._place)
            self._block = self._block[passed:]
            self._place += passed

    def _filled(self) -> bool:
        self._block = memoryview(self._file.read(BLOCK))
        return bool(self._block)


class Content:
    """The bytes of the archive's current entry, without `tarfile`'s bookkeeping."""

    def __init__(self, file: Any, size: int) -> None:
        self._file, self._bytes_left = file, size

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes. Raises ReadError when the archive ends before the entry."""
        count = min(size, self._bytes_left)
        data: bytes = self._file.read(count)
        if len(data) < count:
            raise tarfile.ReadError("unexpected end of data")
        self._bytes_left -= count
        return data
