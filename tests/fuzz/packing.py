"""Correct checksums and pack contents, so that a fuzzer gets past them."""

from __future__ import annotations

import base64
import gzip
import io
import lzma
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping

if sys.version_info >= (3, 14):
    from compression import zstd as zstd
else:
    from backports import zstd as zstd


def summed(data: bytes) -> bytes:
    """Return `data` with a correct checksum in everything that looks like a tar header."""
    archive = bytearray(data)
    for at in range(0, len(archive) - 511, 512):
        if bytes(archive[at + 257 : at + 262]) == b"ustar":
            archive[at + 148 : at + 156] = b"        "
            archive[at + 148 : at + 156] = b"%06o\0 " % sum(archive[at : at + 512])
    return bytes(archive)


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """Return a plain tar of regular files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _zip(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("root/.netrc"), content)
    return buffer.getvalue()


WAYS: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("app/x", bytes),
    ("app/x.gz", lambda content: gzip.compress(content, 1, mtime=0)),
    ("app/x.zip", _zip),
    ("app/x.tar", lambda content: tar_of({"root/.netrc": content})),
    ("app/x.env", lambda content: b"KEY=" + base64.b64encode(content)),
    ("app/x.zst", zstd.compress),
    ("app/x.xz", lzma.compress),
    ("app/x.b64", lambda content: base64.b64encode(gzip.compress(content, 1, mtime=0))),
)


def packed(data: bytes) -> tuple[str, bytes]:
    """Return a name and the content after the first byte, packed in the way that it says."""
    name, pack = WAYS[data[0] % len(WAYS) if data else 0]
    return name, pack(data[1:])
