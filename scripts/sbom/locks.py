"""What a service's locks say that its image is made of: nothing of it may be lost on the way."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from scripts.common.errors import SutraError
from scripts.sbom.components import Bill, purl
from scripts.sbom.npm_lock import LOCK as NPM_LOCK
from scripts.sbom.npm_lock import packages as npm_packages

PACKAGES = Path("packages")
# a line of a lock that names a distribution, with extras or without
LOCKED = re.compile(r"[A-Za-z0-9][\w.-]* *(\[[^]]*\])? *==")
_PYTHON = re.compile(r"(?:.*/)?lib/python(3\.\d+)/.+", re.DOTALL)


def folder_of(image: str, packages: Path = PACKAGES) -> Path | None:
    """Return the folder of the service that an image is built from, None for a base image."""
    names = (image, image.removesuffix("-server"))
    return next((packages / name for name in names if (packages / name).is_dir()), None)


def lost(bill: Bill, folder: Path) -> list[str]:
    """Return a line for each locked distribution or npm package that the image lacks.

    And one for each crate or npm package that is not locked.

    Raises SutraError for a lock that cannot be read.
    """
    present = {one.purl for one in bill.all()}
    wanted = _distributions(folder / "requirements.lock", bill)
    lines = [
        f'{folder}/requirements.lock: not in the image "{each}"'
        for each in wanted
        if each not in present
    ]
    lock = folder / "Cargo.lock"
    if lock.exists():
        linked = {each for each in present if each.startswith("pkg:cargo/")}
        known = (purl("cargo", name, version) for name, version, _ in crates(lock))
        unknown = sorted(linked.difference(known))
        lines += [f'{lock}: not locked "{each}"' for each in unknown]
    return [*lines, *_npm(folder / NPM_LOCK, present)]


def _npm(lock: Path, found: set[str]) -> list[str]:
    """Return a line for each npm package that only the lock has, or only the image."""
    if not lock.exists():
        return []
    locked = list(npm_packages(lock))
    known = {purl("npm", each.name, each.version) for each in locked}
    needed = {purl("npm", each.name, each.version) for each in locked if each.is_needed}
    unknown = {each for each in found if each.startswith("pkg:npm/")} - known
    return [
        *(f'{lock}: not in the image "{each}"' for each in sorted(needed - found)),
        *(f'{lock}: not locked "{each}"' for each in sorted(unknown)),
    ]


def _distributions(lock: Path, bill: Bill) -> Iterator[str]:
    if not lock.exists():
        return
    environment = _environment(bill)
    for line in text(lock).splitlines():
        if LOCKED.match(line):
            try:
                wanted = Requirement(line.rstrip(" \\"))
            except InvalidRequirement as error:
                raise unreadable(lock, str(error).splitlines()[0]) from error
            if wanted.marker is None or wanted.marker.evaluate(environment):
                version = str(wanted.specifier).removeprefix("==")
                yield purl("pypi", wanted.name, version)


def _environment(bill: Bill) -> dict[str, str]:
    """Return the values of markers in the image: Linux, and the Python that it holds."""
    versions = (match[1] for path in bill.image.files if (match := _PYTHON.fullmatch(path)))
    version = next(versions, "3.13")
    return {
        "python_version": version,
        "python_full_version": f"{version}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
        "platform_machine": {"amd64": "x86_64", "arm64": "aarch64"}.get(
            bill.image.architecture, bill.image.architecture
        ),
    }


def crates(lock: Path) -> Iterator[tuple[str, str, str]]:
    """Yield name, version and source of each crate that a Cargo.lock names, "" for no source.

    Raises SutraError for a lock that cannot be read.
    """
    try:
        for each in tomllib.loads(text(lock)).get("package", []):
            yield str(each["name"]), str(each["version"]), str(each.get("source", ""))
    except (tomllib.TOMLDecodeError, LookupError, TypeError, AttributeError) as error:
        raise unreadable(lock, str(error)) from error


def text(lock: Path) -> str:
    """Return a lock's text. Raises SutraError for one that cannot be read."""
    try:
        return lock.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(lock, str(error)) from error


def unreadable(lock: Path, problem: str) -> SutraError:
    """Return the error for a lock that cannot be read."""
    return SutraError(f"{lock}: cannot be read: {problem}", "run `make lock`")
