"""The packages that dpkg's and apk's databases name: the one reader of both.

Formats: deb822(5) and dpkg-query(1); https://wiki.alpinelinux.org/wiki/Apk_spec.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

# dpkg's database as a file, and as a folder of records, as slices of Debian keep it
DPKG = re.compile(r"var/lib/dpkg/status(?:\.d/(?!.*\.md5sums$)[^/]+)?")
# before and after /usr was merged
APK_DATABASES = ("lib/apk/db/installed", "usr/lib/apk/db/installed")


@dataclass(frozen=True)
class Package:
    """One package: `is_installed` is False where the record alone is left of it.

    `licence` and `files` are of apk's: dpkg keeps both in other files. `files` has the hash of
    each path as it is recorded ("Q1" and base64 of SHA-1), "" without one.
    """

    name: str
    version: str = ""
    licence: str = ""
    is_installed: bool = True
    files: Mapping[str, str] = field(default_factory=dict)


def dpkg(text: str) -> Iterator[Package]:
    """Yield the packages of a status file, or of a record of status.d."""
    for block in _blocks(text, "Package"):
        fields = {key: value.strip() for key, value in reversed(block)}
        status = fields.get("Status", " installed")  # a slice's record has none
        if name := fields.get("Package", ""):
            installed = status.endswith(" installed")
            yield Package(name, fields.get("Version", ""), is_installed=installed)


def apk(text: str) -> Iterator[Package]:
    """Yield the packages of apk's database.

    Its keys are P: name, V: version, L: licence, F: folder, R: file, Z: hash.
    """
    for block in _blocks(text, "P"):
        fields = dict(reversed(block))
        if name := fields.get("P", ""):
            licence = fields.get("L", "").strip()
            yield Package(name, fields.get("V", ""), licence, files=_files(block))


def _files(block: list[tuple[str, str]]) -> dict[str, str]:
    files: dict[str, str] = {}
    folder = path = ""
    for key, value in block:
        if key == "F":
            folder, path = value, ""
        elif key == "R":
            path = posixpath.join(folder, value)
            files[path] = ""
        elif key == "Z" and path:
            files[path] = value
    return files


def _blocks(text: str, name: str) -> Iterator[list[tuple[str, str]]]:
    """Yield keys and values of each paragraph, those of one that has two names apart.

    A manager refuses two names; here the second must not hide the first.
    """
    block: list[tuple[str, str]] = []
    for line in (*text.split("\n"), ""):
        key, colon, value = line.partition(":")
        is_second = key == name and any(earlier == name for earlier, _ in block)
        if block and (is_second or not line.strip()):
            yield block
            block = []
        if colon and not line[0].isspace():  # else a value goes on
            block.append((key, value))
