"""Text inside a file in another form: in base64, in hex, URL-encoded, in UTF-16.

Work has an end: bytes are bounded for a text and, by Budget, for a layer.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import urllib.parse
from collections.abc import Callable, Iterator, Sequence

from scripts.image.secret_packed import Budget

# most bytes of one base64 or hex text, before decoding
MAX_ENCODED = 1 << 20
# the two characters that base64 in URLs has instead
_OF_URLS = bytes.maketrans(b"-_", b"+/")
# most hints in one block: more are chance, or hostile
MAX_HINTS = 64


def _shifted(text: bytes, shift: int) -> tuple[bytes, bytes]:
    """Return how `text` begins in base64 that began `shift` bytes before it, and what precedes."""
    encoded = base64.b64encode(b"\0" * shift + text).rstrip(b"=")
    # a character holds bits of what is before or behind it
    begin, end = math.ceil(shift * 8 / 6), (len(text) + shift) * 8 // 6
    return encoded[begin:end], encoded[:begin]


def _from_base64(content: bytes, at: int, before: bytes) -> bytes:
    run = content[at : at + MAX_ENCODED]
    if re.match(rb"[\w+/-]{1,100}+(?:\\[nr]|[\s\"',])", run):  # in lines
        run = re.sub(rb"\\[nr]|[\s\"',+]+(?=[\"'])|[\s\"',]+", b"", run[: 64 << 10])
    match = re.match(rb"[\w+/-]+", run)
    text = before + (match[0] if match else b"").translate(_OF_URLS)
    text = text[:-1] if len(text) % 4 == 1 else text
    return base64.b64decode(text + b"=" * (-len(text) % 4))


def _from_hex(content: bytes, at: int, _: bytes) -> bytes:
    digits = re.sub(rb"[\s:,\\x]|0x", b"", content[at : at + (64 << 10)])
    match = re.match(rb"(?:[0-9a-fA-F]{2})+", digits)
    return binascii.unhexlify(match[0]) if match else b""


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
        for text, before in (_shifted(_BEGIN, shift) for shift in range(3))
    ),
    *(  # twice in base64
        (text, _from_base64, before)
        for text, before in (_shifted(_shifted(_BEGIN, 0)[0], shift) for shift in range(3))
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
