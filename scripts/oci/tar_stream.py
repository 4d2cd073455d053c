"""Read tar archives as forward-only streams, strictly, for any of them may be hostile.

`tarfile` takes a broken header for the end, keeps every member it has seen, and
believes any size that a header announces; here a wrong archive raises DAMAGE.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from typing import Any, Self

from scripts.oci import compression, pax
from scripts.oci.forward import Content, Forward

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
DAMAGE = (tarfile.TarError, *compression.DAMAGE)
_PAX = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_HEADERS = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, *_PAX)
# exceptions that `tarfile` raises at the end of an archive; undocumented, so not in its stub
_END = (tarfile.EmptyHeaderError, tarfile.EOFHeaderError)  # type: ignore[attr-defined]


def entries(file: Any) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    """Yield each entry of a forward-only tar stream, with the archive to read it from.

    Raises one of DAMAGE for a damaged archive, where `tarfile` alone would take a
    broken header for the end. Memory does not grow with the number of entries.
    """
    source: Any = Forward(file)
    # unexpected fields of a header: not a number, a number beyond any float, a chain of
    # headers deeper than the interpreter's stack
    try:
        with _Counted(fileobj=source, tarinfo=_StrictInfo) as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined] # not in its stub
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
    return Content(source, member.size)


def is_tar(start: bytes) -> bool:
    """Return whether `start` begins with a whole tar header."""
    try:
        tarfile.TarInfo.frombuf(start[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


# pattern of the headers of files, links, symlinks and folders as BuildKit, Docker and GNU tar write
# nearly all of them: numbers in octal digits (POSIX.1-1988)
_USUAL = re.compile(
    rb"(?s)(.{100})([0-7]{7})\0([0-7]{7})\0([0-7]{7})\0([0-7]{11})\0([0-7]{11})\0"
    rb"([0-7]{6})\0 ([0125])(.{100})ustar(?:\x0000|  \0)(.{32})(.{32})"
    rb"([0-7]{7}|\0{7})\0([0-7]{7}|\0{7})\0(.{155}).{12}"
)
# place of a header's own checksum, which counts as blanks in the sum
_CHECKSUM = slice(148, 156)


class _StrictInfo(tarfile.TarInfo):
    """An entry whose header must be right; `tarfile` takes a broken one for the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Return the entry of a header: of a usual one in a fourth of `tarfile`'s own time."""
        usual = _USUAL.fullmatch(buf)
        if not usual:
            return super().frombuf(buf, encoding, errors)
        name, *numbers, checksum, kind, link, user, group, major, minor, prefix = usual.groups()
        if sum(buf) - sum(buf[_CHECKSUM]) + 8 * ord(" ") != int(checksum, 8):
            return super().frombuf(buf, encoding, errors)
        entry = cls(_text(name, encoding, errors))
        entry.mode, entry.uid, entry.gid, entry.size, entry.mtime = (int(n, 8) for n in numbers)
        entry.chksum, entry.type = int(checksum, 8), kind
        entry.linkname = _text(link, encoding, errors)
        entry.uname, entry.gname = _text(user, encoding, errors), _text(group, encoding, errors)
        entry.devmajor, entry.devminor = (int(n.strip(b"\0") or b"0", 8) for n in (major, minor))
        if kind == tarfile.DIRTYPE:
            entry.name = entry.name.rstrip("/")
        if folder := _text(prefix, encoding, errors):
            entry.name = f"{folder}/{entry.name}"
        return entry

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
        counted: _Counted = archive  # type: ignore[assignment] # `entries` opens no other
        if self.type in _HEADERS:
            counted.count_header(self.size)
        if self.type in _PAX:
            source: Any = archive.fileobj
            pax.check(source.peek(self._block(self.size)))
        counted.refuse_global_headers()  # those of the entries before it
        member: _StrictInfo = super()._proc_member(archive)  # type: ignore[misc] # not in its stub
        member._block(member.size)
        if member.issparse():
            counted.count_sparse(member.name, member.size)
        return member

    def _block(self, count: int) -> int:
        """Round up to whole blocks. Pythons since 2025 say "invalid offset" here, older nothing."""
        if count < 0:
            raise tarfile.ReadError(f'negative size of "{self.name}"')
        return int(super()._block(count))  # type: ignore[misc] # not in its stub

    def _proc_gnusparse_10(self, *_: Any) -> None:
        """Refuse a sparse map inside the file's own bytes: its length cannot be checked."""
        raise tarfile.ReadError("sparse files of GNU format 1.0 are not read")


def _text(field: bytes, encoding: str, errors: str) -> str:
    """Return a field up to its end, or to the first NUL."""
    return field.partition(b"\0")[0].decode(encoding, errors)


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
