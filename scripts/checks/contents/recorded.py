"""The packages that an image records as installed: Debian's, Alpine's and Python's."""

from __future__ import annotations

import base64
import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from scripts.image import package_records
from scripts.image.package_owners import hashed
from scripts.image.package_records import APK_DATABASES, DPKG, Package

if TYPE_CHECKING:
    from scripts.checks.contents.rule import Subject

_INFO = re.compile(r"((?:.*/)?([^/]+?)(?:-\d[^/]*)?\.(?:dist|egg)-info)(?:/[^/]+)?", re.DOTALL)


def packages(subject: Subject) -> Iterator[str]:
    """Yield the names of installed packages."""
    for package in (*debian_packages(subject), *alpine_packages(subject)):
        if package.is_installed:
            yield package.name


def debian_packages(subject: Subject) -> Iterator[Package]:
    """Yield the packages that dpkg's database names, also where a record alone is left."""
    for path in filter(DPKG.fullmatch, subject.files):
        yield from package_records.dpkg(subject.image.text(path) or "")


def alpine_packages(subject: Subject) -> Iterator[Package]:
    """Yield the packages that apk's database names."""
    for path in filter(subject.files.__contains__, APK_DATABASES):
        yield from package_records.apk(subject.image.text(path) or "")


def distributions(subject: Subject) -> Iterator[tuple[str, str]]:
    """Yield each dist-info and egg-info, and the normalised names of its distribution.

    One by its folder, and one by what its metadata says, where that is another (PEP 503).
    """
    yielded = set[tuple[str, str]]()
    for path in subject.files:
        if not (match := _INFO.fullmatch(path)):
            continue
        names = [match[2]]
        if posixpath.basename(path) in ("METADATA", "PKG-INFO"):
            text = subject.image.text(path) or ""
            names += re.findall(r"(?mi)^Name: *(\S+)", text.partition("\n\n")[0])[:1]
        for name in names:
            distribution = match[1], canonicalize_name(name)
            if distribution not in yielded:
                yielded.add(distribution)
                yield distribution


def recorded_hashes(subject: Subject) -> Iterator[tuple[str, str]]:
    """Yield path and "sha256:…" of every row of a RECORD that has a hash (PEP 376)."""
    for path, text in subject.image.texts.items():
        if path.endswith(".dist-info/RECORD"):
            site = posixpath.dirname(posixpath.dirname(path))
            for name, digest in hashed(text):
                kind, _, value = digest.partition("=")
                if value:
                    yield posixpath.normpath(f"{site}/{name}"), f"{kind}:{hexadecimal(value)}"


def hexadecimal(text: str) -> str:
    """Return URL-safe base64, whose padding is left out, in hexadecimal; "" for none."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()
    except ValueError:
        return ""
