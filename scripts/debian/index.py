"""What Debian's indexes offer of some packages: versions, hashes, sizes, sources."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.debian import packages_lock, versions
from scripts.debian.archive import Index, NotKnownError
from scripts.debian.packages_lock import Package

# the most bytes of an index; that of trixie has 57 MB
MOST = 512 << 20
# "gcc-14 (14.2.0-19)", or the name alone
_SOURCE = re.compile(r"([a-z0-9][a-z0-9+.-]{0,99})(?: \([^()\s]{1,200}\))?", re.ASCII)
_SIZE = re.compile(r"\d{1,12}", re.ASCII)
_FIELDS = (b"Package", b"Source", b"Version", b"Architecture", b"SHA256", b"Size")


@dataclass(frozen=True)
class Offer:
    """One package of an index: `size` is of its `.deb` in bytes."""

    package: Package
    source: str
    size: int
    is_security: bool


# offers by name and machine of a package
Offers = Mapping[tuple[str, str], list[Offer]]


def read(indexes: Iterable[Index], names: Collection[str]) -> Offers:
    """Return the offers by name and machine. Raises NotKnownError for an odd index."""
    offers: dict[tuple[str, str], list[Offer]] = {}
    for index in indexes:
        for fields in _paragraphs(index.file, {name.encode() for name in names}):
            offer = _offer(index, fields)
            offers.setdefault((offer.package.name, index.machine), []).append(offer)
    return offers


def _paragraphs(file: Path, names: Collection[bytes]) -> Iterator[dict[bytes, str]]:
    """Yield the fields of the packages named; each paragraph begins with its name."""
    fields: dict[bytes, str] | None = None
    try:
        if file.stat().st_size > MOST:
            raise NotKnownError(f"{file.name}: too long")
        with file.open("rb") as lines:
            for line in lines:
                if line.startswith(b"Package:"):
                    fields = {} if line[8:].strip() in names else None
                if fields is None:
                    continue
                key, colon, value = line.partition(b":")
                if colon and key in _FIELDS:
                    fields[key] = value.strip().decode(errors="replace")
                elif not line.strip():
                    yield fields
                    fields = None
    except OSError as error:
        raise NotKnownError(f"{file.name}: {error.strerror}") from error
    if fields:
        yield fields


def _offer(index: Index, fields: Mapping[bytes, str]) -> Offer:
    name, source, version, architecture, sha256, size = (fields.get(key, "") for key in _FIELDS)
    origin = _SOURCE.fullmatch(source or name)
    if not (
        packages_lock.NAME.fullmatch(name)
        and origin
        and versions.VERSION.fullmatch(version)
        and architecture in (index.machine, "all")
        and packages_lock.HASH.fullmatch(sha256)
        and _SIZE.fullmatch(size)
    ):
        raise NotKnownError(f'{index.file.name}: odd form of "{name}"')
    package = Package(name, version, architecture, sha256)
    return Offer(package, origin[1], int(size), index.is_security)
