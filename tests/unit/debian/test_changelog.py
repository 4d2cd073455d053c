"""The vulnerabilities that a changelog names since a version, and changelogs of any content."""

from __future__ import annotations

import subprocess
import zlib
from pathlib import Path

import pytest

from scripts.debian import changelog
from scripts.debian.archive import NotKnownError
from tests.support.debian_mirror import Mirror

TEXT = """\
small (1.0-1+deb13u2) trixie-security; urgency=high

  * CVE-2026-10000: and CVE-2026-2000, not CVE-2026-1 nor xCVE-2026-3000.

 -- A <a@example.org>  Thu, 01 Jan 2026 00:00:00 +0000

small (1.0-1+deb13u1) trixie; urgency=medium

  * Fixes CVE-2026-2000 again, and \x1b[31m CVE-2025-9999.

small (1.0-1) unstable; urgency=medium

  * CVE-2024-0001
"""


@pytest.mark.parametrize(
    ("locked", "expected"),
    [
        ("1.0-1+deb13u2", ()),
        ("1.0-1+deb13u1", ("CVE-2026-2000", "CVE-2026-10000")),
        ("1.0-1", ("CVE-2025-9999", "CVE-2026-2000", "CVE-2026-10000")),
        ("1.0-1+b3", ("CVE-2025-9999", "CVE-2026-2000", "CVE-2026-10000")),
        ("0.9", ("CVE-2024-0001", "CVE-2025-9999", "CVE-2026-2000", "CVE-2026-10000")),
    ],
)
def test_only_what_is_newer_than_the_locked_version(locked: str, expected: tuple[str, ...]) -> None:
    assert changelog.cves(TEXT, locked) == expected


def test_prose_in_the_form_of_a_version_ends_no_search() -> None:
    text = TEXT.replace("  * Fixes", "see (0.5) of\nsmall (0.5)\n  * Fixes")
    assert changelog.cves(text, "1.0-1") == ("CVE-2025-9999", "CVE-2026-2000", "CVE-2026-10000")


@pytest.mark.parametrize(
    ("text", "has"),
    [
        (TEXT, True),
        ("small (1.0-1+b1) sid; urgency=low, binary-only=yes\n", True),
        ("small (1.0) stable unstable; urgency=low\n", True),
        ("small (1.0) stable\n", False),
        (" small (1.0) stable; urgency=low\n", False),
        ("", False),
    ],
)
def test_an_entry_names_a_distribution(text: str, has: bool) -> None:
    assert changelog.has_entries(text) is has


@pytest.mark.parametrize("text", ["", "no entry CVE-2026-2000", "small (one) x\n CVE-2026-2000\n"])
def test_text_without_an_entry_names_nothing(text: str) -> None:
    assert changelog.cves(text, "1.0") == ()


def deb(mirror: Mirror, text: str = TEXT) -> Path:
    mirror.add("small", "1.0", changelog=text)
    return mirror.folder / "debian/pool/small_1.0_all.deb"


def test_a_package_has_its_changelog(mirror: Mirror) -> None:
    assert changelog.of(deb(mirror)) == TEXT


def test_a_package_without_a_changelog(mirror: Mirror) -> None:
    assert changelog.of(deb(mirror, "")) is None


@pytest.mark.parametrize("bound", ["PACKED", "UNPACKED", "ENTRIES"])
def test_what_is_too_long_is_not_read(
    mirror: Mirror, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = deb(mirror, "x" * 10_000)
    monkeypatch.setattr(changelog, bound, 1)
    assert changelog.of(file) is None


def test_a_changelog_of_exactly_the_most_bytes_is_read() -> None:
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    packed = packer.compress(b"x" * changelog.UNPACKED) + packer.flush()
    assert len(changelog._unpacked(packed) or "") == changelog.UNPACKED
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    packed = packer.compress(b"x" * (changelog.UNPACKED + 1)) + packer.flush()
    assert changelog._unpacked(packed) is None


def test_a_changelog_that_is_not_packed_is_not_read() -> None:
    assert changelog._unpacked(b"text") is None


@pytest.mark.parametrize("content", [b"", b"!<arch>\n", b"x" * 1000])
def test_what_is_no_package_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "odd.deb"
    file.write_bytes(content)
    with pytest.raises(NotKnownError) as caught:
        changelog.of(file)
    assert caught.value.why.startswith("odd.deb: cannot be read: ")


def test_no_process_is_left(mirror: Mirror) -> None:
    changelog.of(deb(mirror))
    done = subprocess.run(["pgrep", "-f", f"dpkg-deb.*{mirror.folder}"], capture_output=True)
    assert done.stdout == b""
