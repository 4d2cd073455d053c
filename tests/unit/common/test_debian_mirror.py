"""Addresses of a mirror that follows Debian, and of a day of its archive."""

from __future__ import annotations

import pytest

from scripts.common import debian_mirror

DAY = "http://snapshot.debian.org/archive/debian/20260101T000000Z"


@pytest.mark.parametrize(
    ("mirror", "day", "security"),
    [
        (DAY, "20260101T000000Z", DAY.replace("/debian/", "/debian-security/")),
        (f"{DAY}/", "20260101T000000Z", DAY.replace("/debian/", "/debian-security/")),
        ("http://deb.debian.org/debian", "", "http://deb.debian.org/debian-security"),
        ("http://a/debian/20260101", "", "http://a/debian/20260101-security"),
        (f"{DAY}/x", "", f"{DAY}/x-security"),
    ],
)
def test_a_day_has_its_own_place_for_security(mirror: str, day: str, security: str) -> None:
    assert debian_mirror.snapshot_day(mirror) == day
    assert debian_mirror.security(mirror) == security
