"""Unpack files in search of secrets: gzip, zip, wheel, tar, ar …

Work has an end: bytes, members and depth are bounded for a file and, by Budget, for a layer.
What is beyond the bounds, or damaged, or encrypted, is not looked into.
"""

from __future__ import annotations

import binascii
import bz2
import io
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from scripts.oci import compression, tar_stream

# a packed file is held in memory up to here; a longer one is searched as the bytes that it is
MAX_PACKED = 32 << 20
MAX_DEPTH = 4
# memory that an xz file may ask for
XZ_MEMORY = 128 << 20
_AR = b"!<arch>\n"
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_MAGIC = (b"\x1f\x8b\x08", b"PK\x03\x04", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", _AR, *_ZLIB)
_DAMAGE = (
    *tar_stream.DAMAGE, zipfile.BadZipFile, lzma.LZMAError, zlib.error, binascii.Error, OSError,
    EOFError, ValueError, RuntimeError, NotImplementedError, struct.error, LookupError,
)  # fmt: skip # a list of words


@dataclass
class Budget:
    """The rest of the budget for unpacking: bytes and members; for our own texts, bytes to read."""

    bytes: int = 256 << 20
    members: int = 20_000
    text: int = 32 << 20

    def takes(self, count: int) -> int:
        """Return how many of the `count` bytes may be unpacked, and count them as taken."""
        taken = max(0, min(count, self.bytes))
        self.bytes -= taken
        return taken


# most bytes of one member, or of one packed file without members
MAX_MEMBER = 64 << 20


def is_packed(head: bytes) -> bool:
    """Return whether a file that begins so is an archive or packed, or a program with a zip."""
    return (
        head.startswith(_MAGIC)
        or head[257:262] == b"ustar"
        or (head.startswith(b"#!") and b"PK\x03\x04" in head[:4096])
    )


def members(path: str, data: bytes, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of what a packed file holds, as far as the budget goes.

    The path of an archive's member begins with "/": the archive's root is not the image's.
    """
    if not is_packed(data):
        return
    try:
        for name, content in _opened(path, data, budget):
            budget.bytes -= len(content)
            yield name, content
    except _DAMAGE:  # a file that only looks packed, or ends early: what came before was seen
        return


def _opened(path: str, data: bytes, budget: Budget) -> Iterator[tuple[str, bytes]]:
    limit = max(0, min(MAX_MEMBER, budget.bytes))
    inner = re.sub(r"\.(?:gz|bz2|xz|zst|z)$", "", path).replace(".tgz", ".tar")
    if data[257:262] == b"ustar":
        yield from _in_tar(data, budget)
    elif data.startswith((b"PK\x03\x04", b"#!")):
        yield from _in_zip(data, budget)
    elif data.startswith(_AR):
        yield from _in_ar(data, budget)
    elif data.startswith(_ZLIB):
        yield inner, zlib.decompressobj().decompress(data, limit)
    elif data.startswith(b"BZh"):
        yield inner, bz2.BZ2Decompressor().decompress(data, limit)
    elif data.startswith(b"\xfd7zXZ\0"):
        yield inner, lzma.LZMADecompressor(memlimit=XZ_MEMORY).decompress(data, limit)
    else:
        yield inner, _inflated(data, limit)


def _inflated(data: bytes, limit: int) -> bytes:
    """Return what a gzip or zstd file holds, up to where it is damaged or cut."""
    parts, bytes_left = [], limit
    if data.startswith(compression.ZSTD):
        file = compression.unpacked(io.BytesIO(data))[1]
        return bytes(file.read(limit)) if limit else b""
    while bytes_left > 0 and data.startswith(compression.GZIP):
        stream = zlib.decompressobj(31)
        parts.append(stream.decompress(data, bytes_left))
        bytes_left -= len(parts[-1])
        data = stream.unused_data
    return b"".join(parts)


def _in_tar(data: bytes, budget: Budget) -> Iterator[tuple[str, bytes]]:
    for member, archive in tar_stream.entries(io.BytesIO(data)):
        if not _counts(budget):
            return
        if member.isreg() and not member.issparse():
            yield (
                f"/{member.name}",
                tar_stream.content(member, archive).read(_limit(member, budget)),
            )


def _limit(member: tarfile.TarInfo, budget: Budget) -> int:
    return max(0, min(member.size, MAX_MEMBER, budget.bytes))


def _in_zip(data: bytes, budget: Budget) -> Iterator[tuple[str, bytes]]:
    if data.count(b"PK\x01\x02") > budget.members:
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if not _counts(budget):
                return
            if info.is_dir() or info.flag_bits & 1:
                continue
            try:
                with archive.open(info) as file:
                    content = file.read(max(0, min(MAX_MEMBER, budget.bytes)))
            except _DAMAGE:
                continue
            yield f"/{info.filename}", content


def _in_ar(data: bytes, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """Yield the members of a package of Debian's or of a static library."""
    at = len(_AR)
    while at + 60 <= len(data) and _counts(budget):
        name, size = data[at : at + 16].decode("latin-1").strip(" /"), int(data[at + 48 : at + 58])
        if size < 0:
            return
        yield f"/{name}", data[at + 60 : at + 60 + min(size, MAX_MEMBER, budget.bytes)]
        at += 60 + size + size % 2


def _counts(budget: Budget) -> bool:
    budget.members -= 1
    return budget.members >= 0 and budget.bytes > 0
