"""Plain, gzip and zstd files read as one: what is stored, and what it holds."""

from __future__ import annotations

import gzip
import hashlib
import sys
from typing import IO, Any

from zlib_ng import gzip_ng, zlib_ng

if sys.version_info >= (3, 14):
    from compression import zstd as zstd
else:
    from backports import zstd as zstd

BLOCK = 1 << 20
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
# first bytes of a zstd frame without data (RFC 8878, 3.1.2); pzstd begins with one
SKIPPABLE = tuple(bytes((first, 0x2A, 0x4D, 0x18)) for first in range(0x50, 0x60))
# log2 of the most memory that a zstd frame may ask for: 128 MiB, what `zstd -d` takes
ZSTD_WINDOW_LOG = 27
# exceptions for damaged data
_INFLATE: Any = zlib_ng.error  # its stub calls the class an instance
DAMAGE = (EOFError, _INFLATE, gzip.BadGzipFile, zstd.ZstdError)


def unpacked(file: IO[bytes], digests: bool = False) -> tuple[Stored, Any]:
    """Return a plain, gzip or zstd file as stored, and a file of its content."""
    stored = Stored(file, digests)
    content: Any = stored
    if stored.start.startswith(GZIP):
        # its stub leaves the parameters without types
        content = gzip_ng.GzipNGFile(fileobj=content)  # type: ignore[no-untyped-call]
    elif stored.is_packed:
        limit = {int(zstd.DecompressionParameter.window_log_max): ZSTD_WINDOW_LOG}
        content = zstd.ZstdFile(content, options=limit)
    return stored, content


def is_packed(start: bytes) -> bool:
    """Return whether `start` begins gzip or zstd data."""
    return start.startswith((GZIP, ZSTD, *SKIPPABLE))


class Stored:
    """A file whose first bytes are known beforehand, and that counts what is read of it.

    With `digests`, what is read of a packed one is hashed, too.
    """

    def __init__(self, file: IO[bytes], digests: bool = False) -> None:
        self.start = self._unread = file.read(BLOCK)
        self._file = file
        self.bytes = len(self.start)
        self._hash = hashlib.sha256(self.start) if digests and self.is_packed else None

    def digest(self) -> str:
        """Return "sha256:…" of what was read so far, "" where it is not hashed."""
        return f"sha256:{self._hash.hexdigest()}" if self._hash else ""

    @property
    def is_packed(self) -> bool:
        """Return whether it is gzip or zstd."""
        return is_packed(self.start)

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes."""
        if not self._unread:
            data = self._file.read(size)
            self.bytes += len(data)
            if self._hash:
                self._hash.update(data)
            return data
        part, self._unread = self._unread[:size], self._unread[size:]
        return part

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`, less only at the end, and return how many bytes it got."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
