"""packages.lock: what the production bases are made of, by version, architecture and SHA-256.

The build holds to it (base-images/lib/packages-lock.sh); builders.lock has the same form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.common import files
from scripts.common.errors import SutraError
from scripts.debian import versions

FOLDER = Path("base-images")
LOCK = FOLDER / "packages.lock"
MACHINES = ("amd64", "arm64")
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{1,99}", re.ASCII)
SUITE = re.compile(r"[a-z][a-z0-9-]{0,39}", re.ASCII)
HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
DAY = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
AGAIN = "`make update ONLY=debian` writes it anew"
_HEADER = (
    "# Written by `make lock`; the build holds to it. Package, version, architecture, SHA-256."
)
_SUITE, _DAY = "# suite: ", "# day: "
_SLICE = re.compile(r"slice\.sh /rootfs \\\n((?: +\S+(?: \\)?\n)+)")


@dataclass(frozen=True, order=True)
class Package:
    """One locked package; `architecture` is "all" where every machine gets the same one."""

    name: str
    version: str
    architecture: str
    sha256: str


@dataclass(frozen=True)
class Lock:
    """The packages of one release. `day` is a day of snapshot.debian.org that has them all."""

    suite: str
    day: str
    packages: tuple[Package, ...]


def slices(folder: Path = FOLDER) -> dict[str, tuple[str, ...]]:
    """Return the packages that each base image's Dockerfile names, by the image."""
    by_image = {}
    for file in sorted(folder.glob("*-prod.Dockerfile")):
        if match := _SLICE.search(file.read_text(encoding="utf-8")):
            names = tuple(word for word in match[1].split() if word != "\\")
            by_image[f"sutra-base-{file.name.removesuffix('-prod.Dockerfile')}"] = names
    return by_image


def read(path: Path = LOCK) -> Lock | None:
    """Return the lock, None without one. Raises SutraError for a damaged one."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SutraError(f"{path}: cannot be read: {error}", AGAIN) from error
    return parse(text, path)


def parse(text: str, path: Path = LOCK) -> Lock:
    """Return the lock that the text of `path` is. Raises SutraError for a damaged one."""
    lines = text.splitlines()
    suite, day = _setting(lines, _SUITE), _setting(lines, _DAY)
    packages = _packages(path, lines)
    if not SUITE.fullmatch(suite):
        raise SutraError(f'{path}: suite: not a release of Debian "{suite}"', AGAIN)
    if day and not DAY.fullmatch(day):
        raise SutraError(f'{path}: day: not a day of Debian\'s snapshots "{day}"', AGAIN)
    return Lock(suite, day, tuple(packages))


def _packages(path: Path, lines: Sequence[str]) -> list[Package]:
    """Return the packages of the lines. Raises SutraError for one in two versions."""
    packages = []
    locked: set[tuple[str, str]] = set()
    for number, line in enumerate(lines, 1):
        if line and not line.startswith("#"):
            package = _package(path, number, line)
            keys = {(package.name, machine) for machine in machines(package)}
            if keys & locked:
                raise SutraError(f'{path}: line {number}: locked twice "{package.name}"', AGAIN)
            locked |= keys
            packages.append(package)
    return packages


def machines(package: Package) -> tuple[str, ...]:
    """Return the machines that a locked package is for."""
    return MACHINES if package.architecture == "all" else (package.architecture,)


def refuse_incomplete(lock: Lock | None, names: Iterable[str], path: Path = LOCK) -> None:
    """Raise SutraError for a package that a Dockerfile names and the lock lacks, as a cut one."""
    names = sorted(set(names))
    if names and lock is None:
        raise SutraError(f"{path}: no such file", AGAIN)
    packages = lock.packages if lock else ()
    there = {(package.name, machine) for package in packages for machine in machines(package)}
    for name in names:
        for machine in MACHINES:
            if (name, machine) not in there:
                raise SutraError(f'{path}: no "{name}" for {machine}', AGAIN)


def sliced() -> set[str]:
    """Return the packages that any base image's Dockerfile names."""
    return {name for names in slices().values() for name in names}


def _setting(lines: Sequence[str], what: str) -> str:
    return next((line.removeprefix(what) for line in lines if line.startswith(what)), "")


def _package(path: Path, number: int, line: str) -> Package:
    words = line.split()
    if len(words) == len(("name", "version", "architecture", "hash")):
        name, version, architecture, sha256 = words
        if (
            NAME.fullmatch(name)
            and versions.VERSION.fullmatch(version)
            and architecture in (*MACHINES, "all")
            and HASH.fullmatch(sha256)
        ):
            return Package(name, version, architecture, sha256)
    raise SutraError(f'{path}: line {number}: not a locked package "{line[:80]}"', AGAIN)


def changes(lock: Lock, path: Path = LOCK) -> list[str]:
    """Return a line for each package that a new lock has in another version, or not any more."""
    earlier = _earlier(path)
    before = {(p.name, p.architecture): p for p in earlier.packages} if earlier else {}
    after = {(p.name, p.architecture): p for p in lock.packages}
    return [
        f"{name} {machine}: {_version(before, key)} → {_version(after, key)}"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
        for name, machine in [key]
    ]


def _version(packages: Mapping[tuple[str, str], Package], key: tuple[str, str]) -> str:
    return packages[key].version if key in packages else "(none)"


def _earlier(path: Path) -> Lock | None:
    """Return the lock that is there; a damaged one counts for nothing, since it is replaced."""
    try:
        return read(path)
    except SutraError:
        return None


def write(lock: Lock, path: Path = LOCK) -> None:
    """Write the lock whole; one of the same packages stays, with its day."""
    before = _earlier(path)
    if before and before.day and (before.suite, before.packages) == (lock.suite, lock.packages):
        return
    rows = (f"{p.name} {p.version} {p.architecture} {p.sha256}" for p in lock.packages)
    lines = [_HEADER, _SUITE + lock.suite, _DAY + lock.day, *sorted(set(rows))]
    # through a link, which stays one
    files.write(
        path.resolve(), "\n".join(lines) + "\n", "lock", f"`ls -ld {path.parent}` says more"
    )
