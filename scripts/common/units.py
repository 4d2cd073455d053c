"""Sizes and times as people write and read them. MB is 10^6 bytes, MiB 2^20; MB is printed."""

from __future__ import annotations

import re
from fractions import Fraction

UNITS = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
}
# 18 digits: a float holds them in any unit. [0-9], since \d also matches digits of other scripts.
_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([A-Za-z]+)")


def parse_size(text: str) -> int:
    """Return the bytes of "50 MB", "1.5GiB" or "900 B", rounded down.

    Raises ValueError with a short reason for anything else, also a bare number.
    """
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError('not a size such as "50 MB"')
    factor = UNITS.get(match[2].upper())
    if factor is None:
        raise ValueError("unknown unit, use B, kB, MB, GB, KiB, MiB or GiB")
    return int(Fraction(match[1]) * factor)


def format_size(size: float) -> str:
    """Return `size` in bytes as megabytes with one decimal: 12345678 → "12.3 MB"."""
    return f"{size / 1e6:.1f} MB"


def format_change(size: int) -> str:
    """Return a difference in bytes with its sign: "+3.2 MB", or exactly where it is small."""
    return f"{size / 1e6:+.1f} MB" if abs(size) >= 50_000 else f"{size:+} bytes"


def parse_time(text: str) -> int:
    """Return the milliseconds of "5 s", "1.5s" or "300 ms", rounded down.

    Raises ValueError with a short reason for anything else, also a bare number.
    """
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError('not a time such as "5 s"')
    factor = {"ms": 1, "s": 1000}.get(match[2])
    if factor is None:
        raise ValueError("unknown unit, use ms or s")
    return int(Fraction(match[1]) * factor)


def format_time(ms: float) -> str:
    """Return `ms` milliseconds as seconds with two decimals: 1234 → "1.23 s"."""
    return f"{ms / 1000:.2f} s"
