"""Check the records of a PAX header before `tarfile` reads them.

Python refuses a record whose length is wrong since 3.11.10, 3.12.6 and 3.13; older ones read
another key or none, and search for numbers in quadratic time (CVE-2024-6232).
"""

from __future__ import annotations

import re
import tarfile

# the most digits in a row: Python 3.11.7 takes 1.5 s for 40,000, four times that for twice as many
MAX_DIGITS = 300
_LENGTH = re.compile(rb"([0-9]{1,20}) ")
_TOO_MANY = re.compile(rb"(?<![0-9])[0-9]{%d}" % (MAX_DIGITS + 1))


def check(records: bytes) -> None:
    r"""Raise ReadError unless `records` are whole ones ("9 k=word\n"), up to a zero byte."""
    if _TOO_MANY.search(records):
        raise tarfile.ReadError(f"PAX header with more than {MAX_DIGITS} digits in a row")
    place = 0
    while place < len(records) and records[place]:
        length = _LENGTH.match(records, place)
        end = place + int(length[1]) if length else 0
        if not length or end > len(records) or not _has_key(records[length.end() : end]):
            raise tarfile.ReadError("invalid header")
        place = end


def _has_key(record: bytes) -> bool:
    r"""Return whether it is "key=value\n"; the value may be empty."""
    key, equals, _ = record.partition(b"=")
    return bool(key and equals) and record.endswith(b"\n")
