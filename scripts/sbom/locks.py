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
    present = {component.purl for component in bill.all()}
    locked = _distributions(folder / "requirements.lock", bill)
    lines = [
        f'{folder}/requirements.lock: not in the image "{distribution}"'
        for distribution in locked
        if distribution not in present
    ]
    lock = folder / "Cargo.lock"
    if lock.exists():
        linked = {name for name in present if name.startswith("pkg:cargo/")}
        locked_crates = (purl("cargo", name, version) for name, version, _ in crates(lock))
        unknown = sorted(linked.difference(locked_crates))
        lines += [f'{lock}: not locked "{crate}"' for crate in unknown]
    return [*lines, *_npm(folder / NPM_LOCK, present)]


def _npm(lock: Path, present: set[str]) -> list[str]:
    """Return a line for each npm package that only the lock has, or only the image."""
    if not lock.exists():
        return []
    locked = list(npm_packages(lock))
    locked_purls = {purl("npm", package.name, package.version) for package in locked}
    needed = {purl("npm", package.name, package.version) for package in locked if package.is_needed}
    unknown = {name for name in present if name.startswith("pkg:npm/")} - locked_purls
    return [
        *(f'{lock}: not in the image "{name}"' for name in sorted(needed - present)),
        *(f'{lock}: not locked "{name}"' for name in sorted(unknown)),
    ]


def _distributions(lock: Path, bill: Bill) -> Iterator[str]:
    if not lock.exists():
        return
    environment = _environment(bill)
    for line in text(lock).splitlines():
        if LOCKED.match(line):
            try:
                requirement = Requirement(line.rstrip(" \\"))
            except InvalidRequirement as error:
                raise unreadable(lock, str(error).splitlines()[0]) from error
            if requirement.marker is None or requirement.marker.evaluate(environment):
                version = str(requirement.specifier).removeprefix("==")
                yield purl("pypi", requirement.name, version)


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
        for crate in tomllib.loads(text(lock)).get("package", []):
            yield str(crate["name"]), str(crate["version"]), str(crate.get("source", ""))
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
