"""Text inside a file in another form: base64, hex, numbers of its bytes, UTF-16 …

Work has an end: bytes are bounded for a text and, by Budget, for a layer.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache

from scripts.image import secret_formats
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


def _from_dump(content: bytes, at: int, before: bytes) -> bytes:
    """Read the hex digits of `xxd` or `hexdump -C`, without the columns beside them."""
    lines = content[at : at + (64 << 10)].splitlines()
    digits = (
        re.sub(rb"^[0-9a-fA-F]{7,8}:?\s+|\s{2}(?:\S.{0,15}|\|.{1,16}\|)$", b"", line)
        for line in lines
    )
    return _from_hex(b"\n".join(digits), 0, before)


def _from_numbers(content: bytes, at: int, base: int) -> bytes:
    """Read bytes that are written as numbers: `45, 45`, `\\055\\055`, `&#45;&#45;`."""
    run = re.match(rb"[\s,;&#\\]*(?:[0-9]{1,3}[\s,;&#\\\"']*)+", content[at : at + (64 << 10)])
    numbers = [int(number, base) for number in re.findall(rb"[0-9]+", run[0])] if run else []
    return bytes(number for number in numbers if number < 256)


def _from_decimal(content: bytes, at: int, _: bytes) -> bytes:
    return _from_numbers(content, at, 10)


def _from_octal(content: bytes, at: int, _: bytes) -> bytes:
    return _from_numbers(content, at, 8)


def _from_unicode(content: bytes, at: int, before: bytes) -> bytes:
    """Read `\\u002d`, `\\u{2d}` and `&#x2d;`."""
    run = re.sub(
        rb"(?:\\u(?:00|\{)|&#x)([0-9a-fA-F]{2})[};]?", rb"\1", content[at : at + (64 << 10)]
    )
    return _from_hex(run, 0, before)


def _from_base32(content: bytes, at: int, _: bytes) -> bytes:
    match = re.match(rb"[A-Z2-7]+", re.sub(rb"\s", b"", content[at : at + (64 << 10)]))
    text = match[0] if match else b""
    return base64.b32decode(text[: len(text) // 8 * 8])


def _from_url(content: bytes, at: int, _: bytes) -> bytes:
    return urllib.parse.unquote_to_bytes(content[at : at + (64 << 10)].replace(b"+", b" "))


def _from_wide(content: bytes, at: int, _: bytes) -> bytes:
    return content[at : at + (64 << 10)].replace(b"\0", b"")


def _from_wide_word(content: bytes, at: int, _: bytes) -> bytes:
    match = re.match(rb"(?:[\x21-\x7e]\0)+", content[at : at + (8 << 10)])
    return match[0].replace(b"\0", b"") if match else b""


_BEGIN = b"-----BEGIN "
_Decoder = Callable[[bytes, int, bytes], bytes]
# digits of numbers, whose letters may be capitals
_NUMBERS = (_from_hex, _from_dump, _from_unicode)


@cache
def _forms() -> tuple[tuple[bytes, _Decoder, bytes], ...]:
    """Return how each form begins, how it is decoded, and what base64 has before it."""
    return (
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
        *(  # bytes of a source, and of `xxd` and `hexdump`
            (sign.join(prefix + b"%02x" % byte for byte in _BEGIN[:6]), decode, b"")
            for prefix, sign, decode in (
                (b"\\x", b"", _from_hex),
                (b"0x", b",", _from_hex),
                (b"0x", b", ", _from_hex),
                (b"", b":", _from_hex),
                (b"", b" ", _from_dump),
            )
        ),
        (b"2d2d 2d2d 2d42", _from_dump, b""),
        (b",".join(b"%d" % byte for byte in _BEGIN[:8]), _from_decimal, b""),
        (b", ".join(b"%d" % byte for byte in _BEGIN[:8]), _from_decimal, b""),
        (b"".join(b"&#%d;" % byte for byte in _BEGIN[:5]), _from_decimal, b""),
        (b"".join(b"\\%03o" % byte for byte in _BEGIN[:6]), _from_octal, b""),
        (b"".join(b"\\%o" % byte for byte in _BEGIN[:6]), _from_octal, b""),
        *(
            (b"".join(form % byte for byte in _BEGIN[:5]), _from_unicode, b"")
            for form in (b"\\u00%02x", b"\\u{%02x}", b"&#x%02x;")
        ),
        (base64.b32encode(_BEGIN)[:12], _from_base32, b""),
        (b"-----BEGIN%20", _from_url, b""),
        (b"-----BEGIN+", _from_url, b""),
        ("-----BEGIN ".encode("utf-16-le")[:-1], _from_wide, b""),  # matches both byte orders
        *(  # tokens in programs whose strings are UTF-16: of .NET, of Qt
            (start.decode("latin-1").encode("utf-16-le"), _from_wide_word, b"")
            for start, is_caseless in secret_formats.searched()
            if len(start) > 3 and not is_caseless and not start.startswith(b"-----")
        ),
    )


def searched() -> tuple[tuple[bytes, bool], ...]:
    """Return the texts that `decoded` wants the positions of, and whether each is in any case."""
    return tuple((text, decode in _NUMBERS) for text, decode, _ in _forms())


def decoded(
    content: bytes, positions: Sequence[tuple[int, int]], budget: Budget
) -> Iterator[bytes]:
    """Yield texts in `content` that are base64, hex, UTF-16 or URL-encoded and look like a key.

    `positions` are where the searched() texts are, as Searcher gives them.
    """
    for which, at in positions[:MAX_HINTS]:
        _, decode, before = _forms()[which]
        try:
            plain = decode(content, at, before)
        except ValueError:
            continue
        if budget.takes(len(plain)) == len(plain):
            yield plain


def decoded_texts(text: bytes, budget: Budget) -> Iterator[bytes]:
    """Yield what each long word of a text of ours is in base64 or in hex: tokens are kept so.

    PowerShell's encoded commands are UTF-16 in base64.
    """
    for match in re.finditer(rb"(?<![\w+/-])[\w+/-]{24,4096}+={0,2}(?![\w+/-])", text):
        for plain in _plain_words(match[0].rstrip(b"=")):
            if plain.isascii() and budget.takes(len(plain)) == len(plain):
                yield plain.replace(b"\0", b"")


def _plain_words(word: bytes) -> Iterator[bytes]:
    with suppress(ValueError):
        text = word.translate(_OF_URLS)
        yield base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    with suppress(ValueError):
        yield binascii.unhexlify(word)


def narrowed(text: bytes) -> bytes:
    """Return text in UTF-16 or UTF-32 as plain bytes, without its byte order mark."""
    return text.replace(b"\0", b"").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")


def is_wide(head: bytes) -> bool:
    """Return whether a file is text in UTF-16 or UTF-32."""
    start = head[:1024]
    zeros = start.count(0)
    if not zeros:
        return False
    if len(start) >= 16 and 0.72 < zeros / len(start) < 0.78:
        return not re.search(
            rb"[^\0]{2}", start.removeprefix(b"\xff\xfe").removeprefix(b"\0\0\xfe\xff")
        )
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if len(start) < 16 or not len(start) * 0.45 < zeros < len(start) * 0.55:
        return False
    return max(start[::2].count(0), start[1::2].count(0)) > len(start) * 0.45
