"""Recognise files by their bytes, whatever their names: programs, archives, packages.

Each finding is a mark, "kind:name", such as "shells:busybox"; kinds are those of the rules
of scripts.checks.contents that look for them.
"""

from __future__ import annotations

import bz2
import lzma
import math
import re
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from scripts.common.multi_search import found_in
from scripts.oci import compression

TEXTS = Path(__file__).with_name("known_texts.txt")
LANGUAGE, PACKED = "language", "packed"
# the most bytes at a zip's end in which its list of names is looked for
ZIP_END = 1 << 20
# the most bytes of a packed tar archive that are unpacked, to see what it begins with
UNPACKED = 1 << 17
_ZIP, _NAME_IN_ZIP = b"PK\x03\x04", re.compile(rb"PK\x01\x02.{24}(..).{16}", re.DOTALL)
# scripts that start an installer, as their console scripts do
_INSTALLER = re.compile(
    rb"^\s*(?:from|import) (pip|poetry|pipx|virtualenv|pdm|setuptools|pipenv|hatch|conda)\b",
    re.MULTILINE,
)
# get-pip.py, which brings pip along; pypa/get-pip, templates/default.py
_BLOB = b"giant blob of binary data"
# first bytes of a file → its kind: archives of `ar` (such as Debian's packages), objects, packages
_BEGINNINGS = (
    (b"!<arch>\ndebian-binary", "package:deb"),
    (b"!<arch>\n", "static-libraries:ar"),
    (b"!<thin>\n", "static-libraries:ar"),
    (b"BC\xc0\xde", "static-libraries:bitcode"),
    (b"rust\x00\x00\x00", "static-libraries:rmeta"),
    (b"\xed\xab\xee\xdb", "package:rpm"),
    (b"ADBd", "package:apk"),
)
# first bytes of a packed tar archive → its decompressor
_UNPACKERS: dict[bytes, Callable[[], Any]] = {
    compression.GZIP: lambda: zlib.decompressobj(31),
    compression.ZSTD: compression.zstd.ZstdDecompressor,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\x00": lambda: lzma.LZMADecompressor(memlimit=UNPACKED << 10),
}
# members of an archive that are an installer: its package, its records, its program
_PYTHONS = "pip|setuptools|virtualenv|poetry|pipx|pipenv|pdm|hatch|uv"
_INSTALLERS = (
    (re.compile(rf"(?:.*/)?({_PYTHONS})/__(?:init|main)__\.pyc?"), ""),
    (re.compile(rf"(?:.*/)?({_PYTHONS})-\d[^/]*\.dist-info/METADATA"), ""),
    (re.compile(rf"(?:.*/)?s?bin/({_PYTHONS})x?[\d.]*"), ""),
)
_IN_ZIP = (
    (re.compile(r"[^/]+\.dist-info/WHEEL"), "package:wheel"),
    (re.compile(r"EGG-INFO/PKG-INFO"), "package:egg"),
    (re.compile(r"(?:.*/)?[^/]+\.whl"), "package:wheel"),
    *_INSTALLERS,
)
_USTAR = slice(257, 262)  # where a tar archive says what it is (POSIX.1-1988)
_IN_TAR = (
    (re.compile(r"[^/]+-\d[^/]*/PKG-INFO"), "package:sdist"),
    (re.compile(r"\.PKGINFO"), "package:apk"),
    (re.compile(r"package/package\.json"), "package:npm"),
    (re.compile(r"[^/]+/\.cargo_vcs_info\.json"), "package:crate"),
    *_INSTALLERS,
)


def _known_contents() -> list[tuple[str, bytes]]:
    """Return marks and their texts."""
    rows = (line.split("\t") for line in TEXTS.read_text().splitlines() if "\t" in line)
    return [(f"{kind}:{name}", text.encode()) for kind, name, text in rows]


KNOWN = _known_contents()
_find = found_in([text for _, text in KNOWN])
_LONGEST = max(len(text) for _, text in KNOWN)


class Program:
    """The texts of an ELF file that is read block by block."""

    def __init__(self) -> None:
        self._numbers: set[int] = set()
        self._end = b""

    def see(self, block: bytes) -> None:
        """Look for texts in the next block, and where it meets the one before."""
        self._numbers |= _find(block)
        if self._end:
            self._numbers |= _find(self._end + block[:_LONGEST])
        self._end = block[-_LONGEST:]

    def marks(self) -> set[str]:
        """Return what was found."""
        return {KNOWN[at][0] for at in self._numbers}


def of_beginning(head: bytes) -> Iterator[str]:
    """Yield marks of a file that begins with `head` and is no ELF file."""
    for beginning, mark in _BEGINNINGS:
        if head.startswith(beginning):
            yield mark
            break
    if plain := _unpacked(head):
        yield from _of_tar(plain)
    if head.startswith(b"#!"):
        yield from of_script(head)
        yield from of_blob(head)


def of_script(head: bytes) -> Iterator[str]:
    """Yield the installer that a script of Python starts."""
    if match := _INSTALLER.search(head):
        yield f"installers:{match[1].decode()}"


def of_blob(head: bytes) -> Iterator[str]:
    """Yield the installer that a source of Python brings along."""
    if _BLOB in head[:4096]:
        yield "installers:get-pip"


def is_zip(head: bytes) -> bool:
    """Return whether a file is a zip archive, or a program of one (zipapp)."""
    return head.startswith(_ZIP) or (head.startswith(b"#!") and _ZIP in head[:4096])


def of_zip(end: bytes) -> Iterator[str]:
    """Yield marks of a zip archive, by the list of names at its end."""
    for named in _NAME_IN_ZIP.finditer(end):
        (length,) = struct.unpack("<H", named[1])
        name = end[named.end() : named.end() + length].decode("utf-8", "replace")
        yield from _of_member(name, _IN_ZIP)


def _of_member(name: str, patterns: Iterable[tuple[re.Pattern[str], str]]) -> Iterator[str]:
    for pattern, mark in patterns:
        if match := pattern.fullmatch(name):
            yield mark or f"installers:{match[1]}"


def _unpacked(head: bytes) -> bytes:
    """Return the first bytes of a plain or packed tar archive, b"" if it is not one."""
    if head[_USTAR] == b"ustar":
        return head
    unpacker = next((make for begin, make in _UNPACKERS.items() if head.startswith(begin)), None)
    try:
        return unpacker().decompress(head, UNPACKED) if unpacker else b""
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, compression.zstd.ZstdError):
        return b""


def _of_tar(data: bytes) -> Iterator[str]:
    """Yield marks of a tar archive, by its first names."""
    at = 0
    while len(block := data[at : at + tarfile.BLOCKSIZE]) == tarfile.BLOCKSIZE:
        try:
            member = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            return
        yield from _of_member(member.name.removeprefix("./"), _IN_TAR)
        at += tarfile.BLOCKSIZE * (1 + math.ceil(max(member.size, 0) / tarfile.BLOCKSIZE))
