"""Text inside a file in another form: packed (gzip, zip, wheel, tar …), in base64, in hex.

Work has an end: bytes, members and depth are bounded for a file and, by Budget, for a layer.
What is beyond the bounds, or damaged, or encrypted, is not looked into.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import io
import lzma
import math
import re
import struct
import tarfile
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from scripts.oci import tar_stream

# a packed file is held in memory up to here; a longer one is searched as the bytes that it is
MAX_PACKED = 32 << 20
MAX_DEPTH = 4
# most bytes of one base64 or hex text, before decoding
MAX_ENCODED = 1 << 20
# memory that an xz file may ask for
XZ_MEMORY = 128 << 20
# the two characters that base64 in URLs has instead
_OF_URLS = bytes.maketrans(b"-_", b"+/")
# most hints in one block: more are chance, or hostile
MAX_HINTS = 64
_MAGIC = (b"\x1f\x8b\x08", b"PK\x03\x04", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
_DAMAGE = (
    *tar_stream.DAMAGE, zipfile.BadZipFile, lzma.LZMAError, zlib.error, binascii.Error, OSError,
    EOFError, ValueError, RuntimeError, NotImplementedError, struct.error, LookupError,
)  # fmt: skip


@dataclass
class Budget:
    """What may still be unpacked: bytes and members; of texts of ours, bytes that are read."""

    bytes: int = 256 << 20
    members: int = 20_000
    text: int = 32 << 20

    def takes(self, wanted: int) -> int:
        """Return how many of the `wanted` bytes may be unpacked, and count them as taken."""
        taken = max(0, min(wanted, self.bytes))
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
    """Yield (path, content) of what a packed file holds, as far as the budget goes."""
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
    elif data.startswith(b"BZh"):
        yield inner, bz2.BZ2Decompressor().decompress(data, limit)
    elif data.startswith(b"\xfd7zXZ\0"):
        yield inner, lzma.LZMADecompressor(memlimit=XZ_MEMORY).decompress(data, limit)
    else:
        yield inner, _inflated(data, limit)


def _inflated(data: bytes, limit: int) -> bytes:
    """Return what a gzip or zstd file holds, up to where it is damaged or cut."""
    parts, left = [], limit
    if data.startswith(tar_stream.ZSTD):
        file = tar_stream.unpacked(io.BytesIO(data))[1]
        return bytes(file.read(limit)) if limit else b""
    while left > 0 and data.startswith(tar_stream.GZIP):
        stream = zlib.decompressobj(31)
        parts.append(stream.decompress(data, left))
        left -= len(parts[-1])
        data = stream.unused_data
    return b"".join(parts)


def _in_tar(data: bytes, budget: Budget) -> Iterator[tuple[str, bytes]]:
    for member, archive in tar_stream.entries(io.BytesIO(data)):
        if not _counts(budget):
            return
        if member.isreg() and not member.issparse():
            yield member.name, tar_stream.content(member, archive).read(_limit(member, budget))


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
            yield info.filename, content


def _counts(budget: Budget) -> bool:
    budget.members -= 1
    return budget.members >= 0 and budget.bytes > 0


# ---- texts in another form -------------------------------------------------


def _shifted(text: bytes, shift: int) -> tuple[bytes, bytes]:
    """Return how `text` begins in base64 that began `shift` bytes before it, and what precedes."""
    whole = base64.b64encode(b"\0" * shift + text).rstrip(b"=")
    # a character holds bits of what is before or behind it
    begin, end = math.ceil(shift * 8 / 6), (len(text) + shift) * 8 // 6
    return whole[begin:end], whole[:begin]


def _from_base64(content: bytes, at: int, before: bytes) -> bytes:
    run = content[at : at + MAX_ENCODED]
    if re.match(rb"[\w+/-]{1,100}+(?:\\[nr]|[\s\"',])", run):  # in lines
        run = re.sub(rb"\\[nr]|[\s\"',+]+(?=[\"'])|[\s\"',]+", b"", run[: 64 << 10])
    found = re.match(rb"[\w+/-]+", run)
    text = before + (found[0] if found else b"").translate(_OF_URLS)
    text = text[:-1] if len(text) % 4 == 1 else text
    return base64.b64decode(text + b"=" * (-len(text) % 4))


def _from_hex(content: bytes, at: int, _: bytes) -> bytes:
    digits = re.sub(rb"[\s:,\\x]|0x", b"", content[at : at + (64 << 10)])
    found = re.match(rb"(?:[0-9a-fA-F]{2})+", digits)
    return binascii.unhexlify(found[0]) if found else b""


def _from_url(content: bytes, at: int, _: bytes) -> bytes:
    return urllib.parse.unquote_to_bytes(content[at : at + (64 << 10)].replace(b"+", b" "))


def _from_wide(content: bytes, at: int, _: bytes) -> bytes:
    return content[at : at + (64 << 10)].replace(b"\0", b"")


_BEGIN = b"-----BEGIN "
_Decoder = Callable[[bytes, int, bytes], bytes]
# (how it begins, how it is decoded, what base64 has before it)
_FORMS: tuple[tuple[bytes, _Decoder, bytes], ...] = (
    *(
        (text, _from_base64, before)
        for text, before in (_shifted(_BEGIN, each) for each in range(3))
    ),
    *(  # twice in base64
        (text, _from_base64, before)
        for text, before in (_shifted(_shifted(_BEGIN, 0)[0], each) for each in range(3))
    ),
    (b"H4sIA", _from_base64, b""),  # gzip in base64, as Helm keeps its releases
    (b"UEsDB", _from_base64, b""),  # zip in base64
    (_BEGIN.strip().hex().encode(), _from_hex, b""),
    (_BEGIN.strip().hex().upper().encode(), _from_hex, b""),
    (b"-----BEGIN%20", _from_url, b""),
    (b"-----BEGIN+", _from_url, b""),
    ("-----BEGIN ".encode("utf-16-le")[:-1], _from_wide, b""),  # of both byte orders
)
# the texts that `decoded` wants the positions of
SEARCHED = tuple(text for text, _, _ in _FORMS)


def decoded(
    content: bytes, positions: Sequence[tuple[int, int]], budget: Budget
) -> Iterator[bytes]:
    """Yield texts in `content` that are base64, hex, UTF-16 or URL-encoded and look like a key.

    `positions` are where the SEARCHED texts are, as Searcher gives them.
    """
    for which, at in positions[:MAX_HINTS]:
        _, decode, before = _FORMS[which]
        try:
            plain = decode(content, at, before)
        except ValueError:
            continue
        if budget.takes(len(plain)) == len(plain):
            yield plain


def decoded_texts(text: bytes, budget: Budget) -> Iterator[bytes]:
    """Yield what each long word of a text of ours is in base64: settings keep tokens so."""
    for match in re.finditer(rb"(?<![\w+/-])[\w+/-]{24,4096}+={0,2}(?![\w+/-])", text):
        word = match[0].rstrip(b"=").translate(_OF_URLS)
        try:
            plain = base64.b64decode(word + b"=" * (-len(word) % 4), validate=True)
        except ValueError:
            continue
        if plain.isascii() and budget.takes(len(plain)) == len(plain):
            yield plain


def is_wide(head: bytes) -> bool:
    """Return whether a file is text in UTF-16."""
    start = head[:1024]
    if b"\0" not in start:
        return False
    zeros = max(start[::2].count(0), start[1::2].count(0))
    return head.startswith((b"\xff\xfe", b"\xfe\xff")) or (
        len(start) >= 16 and zeros > len(start) * 0.45 and start.count(0) < len(start) * 0.55
    )
