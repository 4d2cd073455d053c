"""Addresses of a Debian mirror: where its security suite is, and which day it is frozen at."""

from __future__ import annotations

import re

# pattern of a day of http://snapshot.debian.org as a mirror
_SNAPSHOT = re.compile(r"(.*)/debian/(\d+T\d+Z)/?")


def snapshot_day(mirror: str) -> str:
    """Return the moment that a mirror is frozen at ("20260101T000000Z"), or ""."""
    frozen = _SNAPSHOT.fullmatch(mirror)
    return frozen[2] if frozen else ""


def security(mirror: str) -> str:
    """Return the address of a mirror's security suite, as base-images/lib/apt.sh has it."""
    if frozen := _SNAPSHOT.fullmatch(mirror):
        return f"{frozen[1]}/debian-security/{frozen[2]}"
    return f"{mirror}-security"
