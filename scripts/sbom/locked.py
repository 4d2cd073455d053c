"""What the locks of the services name: distributions of PyPI and crates, with their versions."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from scripts.common.errors import SutraError
from scripts.sbom import locks
from scripts.sbom.locks import PACKAGES, folder_of

PYPI, CRATES = "pypi", "cargo"
_PINNED = re.compile(r"([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)(?:\[[^]]*\])? *== *([^\s;\\]+)")
_CRATE_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,99}")
# characters of a line in a message
SHOWN = 80
_CRATE = re.compile(r"[A-Za-z0-9][\w-]{0,63}")
_CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


@dataclass(frozen=True)
class Locked:
    """One locked version, and the images whose locks name it."""

    kind: str
    name: str
    version: str
    images: tuple[str, ...]


def read(images: Iterable[str], packages: Path = PACKAGES) -> list[Locked]:
    """Return what the locks of these images name, sorted. Raises SutraError for a damaged lock."""
    holders: dict[tuple[str, str, str], list[str]] = {}
    for image in images:
        folder = folder_of(image, packages)
        for key in sorted(set(_of(folder))) if folder else ():
            holders.setdefault(key, []).append(image)
    return [Locked(*key, tuple(names)) for key, names in sorted(holders.items())]


def _of(folder: Path) -> Iterator[tuple[str, str, str]]:
    lock = folder / "requirements.lock"
    if os.path.lexists(lock):  # a broken link is an error, and no service without a lock
        yield from _distributions(lock)
    lock = folder / "Cargo.lock"
    if os.path.lexists(lock):
        for name, version, source in locks.crates(lock):
            if source != _CRATES_IO:  # crates of this repository have no source
                continue
            if not (_CRATE.fullmatch(name) and _CRATE_VERSION.fullmatch(version)):
                raise locks.unreadable(lock, f'not a crate "{name} {version}"')
            yield CRATES, name, version


def _distributions(lock: Path) -> Iterator[tuple[str, str, str]]:
    for number, line in enumerate(locks.text(lock).splitlines(), 1):
        if not line.strip() or line.lstrip().startswith(("#", "--")):  # hashes, and who wants it
            continue
        match = _PINNED.match(line)
        if not match:
            shown = line.strip()[:SHOWN]
            raise SutraError(f'{lock}: line {number}: not pinned "{shown}"', "run `make lock`")
        yield PYPI, canonicalize_name(match[1]), _version(lock, match[2])


def _version(lock: Path, text: str) -> str:
    try:
        return str(Version(text))
    except InvalidVersion as error:
        raise SutraError(f'{lock}: not a version "{text}"', "run `make lock`") from error
