"""builders.lock: the packages of the toolchains, with dependencies: they write parts of images.

The build holds to it (base-images/lib/apt.sh).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.debian import index, updates
from scripts.debian.archive import Archive, NotKnownError
from scripts.debian.packages_lock import FOLDER, MACHINES, Lock, Package

LOCK = FOLDER / "builders.lock"
PACKAGES = Path("packages")
# in place of images: which services' bytes a package of a toolchain changes, only a build shows
HOLDER = "(builders)"
# one name a line, or several
_INSTALL = re.compile(r"apt\.sh install((?:(?:[ \t]|\\\n)+[a-z0-9][a-z0-9+.:-]*)+)", re.ASCII)
# "libstdc++6_14.2.0-19_amd64.deb", with a colon of the version as "%3a"
_FILE = re.compile(r"'[^']*' ([a-z0-9][a-z0-9+.-]+)_([^_\s]+)_([a-z0-9]+)\.deb \d+ ", re.ASCII)


def names(folder: Path = FOLDER, packages: Path = PACKAGES) -> tuple[str, ...]:
    """Return the packages that the bases' and the services' Dockerfiles install, sorted."""
    files = [*folder.glob("*.Dockerfile"), *packages.glob("*/Dockerfile.prod")]
    return tuple(sorted({name for file in files for name in installed(file)}))


def installed(file: Path) -> Iterator[str]:
    """Yield the packages that a Dockerfile installs with apt.sh."""
    for match in _INSTALL.finditer(file.read_text(encoding="utf-8")):
        yield from match[1].replace("\\", " ").split()


def newest(place: Archive, package_names: Iterable[str]) -> Lock:
    """Return the lock of what apt would install into nothing. Raises NotKnownError."""
    words = sorted(set(package_names))
    chosen = {machine: set(_closure(place, machine, words)) for machine in MACHINES}
    closure_names = {name for pairs in chosen.values() for name, _ in pairs}
    offers = index.read(place.indexes(), closure_names)
    packages = {
        offer.package
        for (name, machine), of_one in offers.items()
        for offer in of_one
        if (name, offer.package.version) in chosen[machine]
    }
    _refuse_missing(place, chosen, packages)
    return Lock(place.suite, place.day or updates.tomorrow(), tuple(sorted(packages)))


def _closure(place: Archive, machine: str, words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield name and version of each package that apt would fetch for a machine."""
    for line in place.would_fetch(words, machine):
        if match := _FILE.match(line):
            yield match[1], match[2].replace("%3a", ":")


def _refuse_missing(
    place: Archive, chosen: dict[str, set[tuple[str, str]]], packages: Iterable[Package]
) -> None:
    """Raise NotKnownError where apt would fetch what no index has."""
    there = {(package.name, package.version) for package in packages}
    for machine, pairs in chosen.items():
        for name, version in sorted(pairs - there):
            raise NotKnownError(f'{place.suite} has no "{name}" {version} for {machine}')
