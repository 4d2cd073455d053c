"""Packages whose code stays in a moved service as it was built in: linked, or taken along.

A package that a service brings itself has its record in the image, also where a library was
linked from it (link-openblas.sh, runtime-libs.sh). A static program has no record of what its
compiler links into every program: LINKED names those packages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.common import git
from scripts.debian import builders_lock, packages_lock
from scripts.debian.packages_lock import Lock
from scripts.image import package_records
from scripts.image.inventory import Inventory

# packages of the standard libraries, by the language of a program that is one file
LINKED = {
    "rust": re.compile(r"libc6-dev|libgcc-\d+-dev|libstd-rust-dev"),
    "go": re.compile(r"golang-[\d.]+-src"),
}


def lock_at(commit: str, path: Path) -> Lock:
    """Return the lock of a commit, an empty one where it has none. Raises SutraError."""
    if path.as_posix() not in git.names_at(commit, path.parent.as_posix()):
        return Lock("", "", ())
    text = git.content_at(commit, path.as_posix()).decode(errors="replace")
    return packages_lock.parse(text, path)


def of_service(image: Inventory, revision: str, commit: str) -> list[str]:
    """Return what a service of `revision` keeps in another version than the lock of `commit` has.

    What packages.lock names comes with the base.
    """
    return older(
        image,
        lock_at(revision, builders_lock.LOCK),
        lock_at(commit, packages_lock.LOCK),
        lock_at(commit, builders_lock.LOCK),
    )


def older(image: Inventory, before: Lock, bases: Lock, now: Lock) -> list[str]:
    """Return "NAME VERSION (now VERSION)" for each package that the lock has in another version.

    `before` and `now` are builders.lock of the service's commit and of a later one.
    """
    newer = _versions(now, image.architecture)
    with_bases = _versions(bases, image.architecture)
    own = dict(_recorded(image)) | dict(_linked(image, _versions(before, image.architecture)))
    return [
        f"{name} {version} (now {newer[name]})"
        for name, version in sorted(own.items())
        if name not in with_bases and newer.get(name, version) != version
    ]


def _recorded(image: Inventory) -> Iterator[tuple[str, str]]:
    for path, text in image.texts.items():
        if package_records.DPKG.fullmatch(path):
            for package in package_records.dpkg(text):
                yield package.name, package.version


def _linked(image: Inventory, locked: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    languages = {owner.kind for owner in image.owners().values()} & LINKED.keys()
    for language in languages:
        for name, version in locked.items():
            if LINKED[language].fullmatch(name):
                yield name, version


def _versions(lock: Lock, architecture: str) -> dict[str, str]:
    return {
        package.name: package.version
        for package in lock.packages
        if architecture in packages_lock.machines(package)
    }
