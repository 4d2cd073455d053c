"""Tar archives as forward-only streams, read strictly: hostile until shown otherwise.

`tarfile` takes a broken header for the end, keeps every member it has seen, and
believes any size that a header announces; here a wrong archive raises DAMAGE.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
import tarfile
from collections.abc import Iterator
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
# the most bytes of a header for long names or PAX records (Go's archive/tar has the same)
MAX_HEADER = 1 << 20
# limits of global PAX headers, which are read again for every later entry;
# `git archive` writes one key of 52 bytes
MAX_GLOBAL_KEYS = 100
MAX_GLOBAL_BYTES = 1 << 16
# bytes of headers for long names and PAX records: of an archive, and for each of its entries
HEADERS = 16 << 20
HEADERS_PER_ENTRY = 1 << 10
# a sparse file's holes are announced, not stored: bytes that are believed of an archive
MAX_SPARSE = 256 << 20
# exceptions for a damaged archive, beside those that `entries` turns into ReadError
_INFLATE: Any = zlib_ng.error  # its stub calls the class an instance
DAMAGE = (tarfile.TarError, EOFError, _INFLATE, gzip.BadGzipFile, zstd.ZstdError)
_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
# exceptions that `tarfile` raises at the end of an archive; undocumented
_END = (tarfile.EmptyHeaderError, tarfile.EOFHeaderError)  # type: ignore[attr-defined]


def entries(file: Any) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    """Yield each entry of a forward-only tar stream, with the archive to read it from.

    Raises one of DAMAGE for a damaged archive, where `tarfile` alone would take a
    broken header for the end. Memory does not grow with the number of entries.
    """
    source: Any = _Forward(file)
    # unexpected fields of a header: not a number, a number beyond any float, a chain of
    # headers deeper than the interpreter's stack
    try:
        with _Counted(fileobj=source, tarinfo=_StrictInfo) as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]
                archive.passed += 1
                yield member, archive
    except (ValueError, ArithmeticError, LookupError, TypeError, RecursionError) as error:
        reason = "headers too deep" if isinstance(error, RecursionError) else str(error)
        raise tarfile.ReadError(reason) from error


def content(member: tarfile.TarInfo, archive: tarfile.TarFile) -> Any:
    """Return a file of a regular entry's bytes, before the next one is asked for.

    Reading it raises one of DAMAGE where the archive ends before the entry does.
    """
    source: Any = archive.fileobj
    if member.issparse():
        return archive.extractfile(member)
    source.seek(member.offset_data)
    return _Content(source, member.size)


def unpacked(file: IO[bytes], digests: bool = False) -> tuple[Stored, Any]:
    """Return a plain, gzip or zstd file as stored, and a file of its content."""
    stored = Stored(file, digests)
    whole: Any = stored
    if stored.start.startswith(GZIP):
        whole = gzip_ng.GzipNGFile(fileobj=whole)  # type: ignore[no-untyped-call]
    elif stored.is_packed:
        limit = {int(zstd.DecompressionParameter.window_log_max): ZSTD_WINDOW_LOG}
        whole = zstd.ZstdFile(whole, options=limit)
    return stored, whole


def is_packed(start: bytes) -> bool:
    """Return whether `start` begins gzip or zstd data."""
    return start.startswith((GZIP, ZSTD, *SKIPPABLE))


def is_tar(start: bytes) -> bool:
    """Return whether `start` begins with a whole tar header."""
    try:
        tarfile.TarInfo.frombuf(start[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


class _StrictInfo(tarfile.TarInfo):
    """An entry whose header must be right; `tarfile` takes a broken one for the end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _StrictInfo:
        try:
            return super().fromtarfile(archive)
        except _END:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error

    def _proc_member(self, archive: tarfile.TarFile) -> _StrictInfo:
        """Refuse sizes that are announced to be read whole, or that no bytes stand behind."""
        counted: _Counted = archive  # type: ignore[assignment]
        if self.type in _HEADERS:
            counted.count_header(self.size)
        counted.refuse_global_headers()  # those of the entries before it
        made: _StrictInfo = super()._proc_member(archive)  # type: ignore[misc]
        made._block(made.size)
        if made.issparse():
            counted.count_sparse(made.name, made.size)
        return made

    def _block(self, count: int) -> int:
        """Round up to whole blocks. Pythons since 2025 say "invalid offset" here, older nothing."""
        if count < 0:
            raise tarfile.ReadError(f'negative size of "{self.name}"')
        return int(super()._block(count))  # type: ignore[misc]

    def _proc_gnusparse_10(self, *_: Any) -> None:
        """Refuse a sparse map inside the file's own bytes: its length cannot be checked."""
        raise tarfile.ReadError("sparse files of GNU format 1.0 are not read")


class _Counted(tarfile.TarFile):
    """An archive that counts what costs work without standing behind bytes of its own."""

    passed = 0
    headers = 0
    sparse = 0

    def count_header(self, size: int) -> None:
        """Count a header for a long name or PAX records. Raises ReadError for too much."""
        if size > MAX_HEADER:
            raise tarfile.ReadError(f"header of {size} bytes")
        self.headers += size
        most = HEADERS + HEADERS_PER_ENTRY * self.passed
        if self.headers > most:
            raise tarfile.ReadError(f"headers of more than {most} bytes")

    def refuse_global_headers(self) -> None:
        """Raise ReadError where global PAX headers are more than MAX_GLOBAL_… allow."""
        kept = sum(len(key) + len(value) for key, value in self.pax_headers.items())
        if kept > MAX_GLOBAL_BYTES:
            raise tarfile.ReadError(f"global headers of {kept} bytes")
        if len(self.pax_headers) > MAX_GLOBAL_KEYS:
            raise tarfile.ReadError(f"global headers of {len(self.pax_headers)} keys")

    def count_sparse(self, name: str, size: int) -> None:
        """Count a sparse file. Raises ReadError for more than MAX_SPARSE in all."""
        self.sparse += size
        if self.sparse > MAX_SPARSE:
            raise tarfile.ReadError(f'sparse file "{name}" of {size} bytes')


class _Forward:
    """What `tarfile` wants of a file, over one that is read once: nothing is copied twice.

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


class _Content:
    """The bytes of the archive's current entry, without `tarfile`'s bookkeeping."""

    def __init__(self, file: Any, size: int) -> None:
        self._file, self._left = file, size

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes. Raises ReadError when the archive ends before the entry."""
        wanted = min(size, self._left)
        data: bytes = self._file.read(wanted)
        if len(data) < wanted:
            raise tarfile.ReadError("unexpected end of data")
        self._left -= wanted
        return data


class Stored:
    """A file whose first bytes are known beforehand, and that counts what is read of it.

    With `digests`, what is read of a packed one is hashed, too.
    """

    def __init__(self, file: IO[bytes], digests: bool = False) -> None:
        self.start = self._rest = file.read(BLOCK)
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
        if not self._rest:
            data = self._file.read(size)
            self.bytes += len(data)
            if self._hash:
                self._hash.update(data)
            return data
        part, self._rest = self._rest[:size], self._rest[size:]
        return part

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`, less only at the end, and return how many bytes it got."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
