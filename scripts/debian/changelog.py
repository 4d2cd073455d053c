"""The vulnerabilities that a package's own changelog names, between two of its versions.

The changelog is in the package, whose hash Debian has signed. It is text of many authors: its
size is bounded, and of its words only names of vulnerabilities are taken.
"""

from __future__ import annotations

import re
import subprocess
import tarfile
import zlib
from itertools import zip_longest
from pathlib import Path

from scripts.debian import versions
from scripts.debian.archive import NotKnownError

# bytes of a changelog as it is packed and unpacked; entries of a package
PACKED, UNPACKED, ENTRIES = 8 << 20, 32 << 20, 200_000
CVE = re.compile(r"\bCVE-\d{4}-\d{4,7}\b", re.ASCII)
_PATH = re.compile(r"\./usr/share/doc/[^/]+/changelog(?:\.Debian)?\.gz")
# "openssl (3.5.4-1~deb13u1) trixie-security; urgency=high"
# up to the semicolon: prose such as "see (1.0)" ends no search. Source: deb-changelog(5)
_ENTRY = re.compile(
    r"^[a-z0-9][a-z0-9+.-]* \(([^()\s]+)\)(?: +[A-Za-z0-9][A-Za-z0-9+.-]*){1,20};",
    re.MULTILINE | re.ASCII,
)
_GZIP = 16 + zlib.MAX_WBITS


def cves(text: str, locked: str) -> tuple[str, ...]:
    """Return the vulnerabilities that entries above the locked version name."""
    since = versions.of_source(locked)
    numbers: set[str] = set()
    entries = [*_ENTRY.finditer(text)]
    for entry, after in zip_longest(entries, entries[1:]):
        if not versions.VERSION.fullmatch(entry[1]) or not versions.is_newer(entry[1], since):
            break  # the newest entry is the first one
        end = after.start() if after else len(text)
        numbers.update(CVE.findall(text, entry.end(), end))
    return tuple(sorted(numbers, key=_by_number))


def has_entries(text: str) -> bool:
    """Return whether a text is a changelog in Debian's form."""
    return _ENTRY.search(text) is not None


def _by_number(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split("-")[1:])


def of(deb: Path) -> str | None:
    """Return the changelog of a package, None where its folder has none or it is too long.

    Raises NotKnownError for a file that is no package.
    """
    command = ["dpkg-deb", "--fsys-tarfile", str(deb)]
    try:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as unpacking:
            try:
                packed = _member(unpacking)
            finally:
                unpacking.kill()
    except (OSError, tarfile.TarError) as error:
        raise NotKnownError(f"{deb.name}: cannot be read: {error}") from error
    return None if packed is None else _unpacked(packed)


def _member(unpacking: subprocess.Popen[bytes]) -> bytes | None:
    with tarfile.open(fileobj=unpacking.stdout, mode="r|") as archive:
        for number, member in enumerate(archive):
            if number >= ENTRIES:
                return None
            if member.isreg() and _PATH.fullmatch(member.name) and member.size <= PACKED:
                file = archive.extractfile(member)
                return file.read() if file else None
    return None


def _unpacked(packed: bytes) -> str | None:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        text = unpacker.decompress(packed, UNPACKED)
    except zlib.error:
        return None
    return None if unpacker.unconsumed_tail else text.decode(errors="replace")
