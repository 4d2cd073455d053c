"""Take newer versions into the locks: all of them, or none where one cannot be taken."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from scripts.common.errors import SutraError
from scripts.debian import builders_lock, packages_lock, updates
from scripts.sbom import lock_copies, locked
from scripts.sbom.locks import folder_of
from scripts.sbom.outdated import DEB, Outdated, Row

SECURITY, DEBIAN = "security", "debian"
ONLY = ("", SECURITY, DEBIAN)
LOCK = "scripts/lock.sh"
# scripts/lock.sh takes every name of a lock to its newest version
ALL = "all"


def chosen(rows: Iterable[Row], only: str) -> list[Row]:
    """Return the rows that can be taken: newer ones, of those that `only` names."""
    newer = [row for row in rows if row.newest not in (None, row.locked)]
    if only == DEBIAN:
        return [row for row in newer if row.kind == DEB]
    return [row for row in newer if row.security or only != SECURITY]


def unknown(rows: Iterable[Row]) -> list[str]:
    """Return the names of newer versions of which no index says whether they are safer."""
    return sorted({row.name for row in rows if row.newest != row.locked and row.advisories is None})


def calls(rows: Iterable[Row], only: str) -> dict[str, str]:
    """Return what scripts/lock.sh is called with: the names to upgrade, by package folder."""
    names: dict[str, set[str]] = {}
    for row in rows:
        for image in row.images if row.kind != DEB else ():
            if folder := folder_of(image):
                names.setdefault(folder.name, set()).add(row.name)
    return {
        folder: ",".join(sorted(distributions)) if only == SECURITY else ALL
        for folder, distributions in sorted(names.items())
    }


def take(report: Outdated, rows: Sequence[Row], only: str, environment: Mapping[str, str]) -> None:
    """Write the locks. Raises SutraError, with every lock as it was, where that fails."""
    lock_calls = calls(rows, only)
    debian = [packages_lock.LOCK, builders_lock.LOCK]
    with lock_copies.all_or_none(lambda: [*debian, *_locks(lock_calls)]):
        debs = {row.name for row in rows if row.kind == DEB and not row.is_of_builders}
        if debs and report.lock:
            packages_lock.write(updates.updated_lock(report.lock, debs, report.offers, report.day))
        # a toolchain's packages need each other in one version: all are taken, or none
        if report.builders and any(row.is_of_builders for row in rows):
            packages_lock.write(report.builders, builders_lock.LOCK)
        for folder, names in lock_calls.items():
            _lock(folder, names, environment)


def held_back(rows: Iterable[Row], images: Sequence[str]) -> list[str]:
    """Return the names that the locks still have at the earlier version."""
    locked_now = {
        (dependency.kind, dependency.name, dependency.version) for dependency in locked.read(images)
    }
    for path in (packages_lock.LOCK, builders_lock.LOCK):
        if lock := packages_lock.read(path):
            locked_now |= {(DEB, package.name, package.version) for package in lock.packages}
    names = {(row.kind, row.name) for row in rows if (row.kind, row.name, row.locked) in locked_now}
    return sorted(name for _, name in names)


def _locks(folders: Iterable[str]) -> list[Path]:
    return [path for folder in folders for path in sorted(Path("packages", folder).glob("*.lock"))]


def _lock(folder: str, names: str, environment: Mapping[str, str]) -> None:
    knobs = {**os.environ, **environment, "PACKAGE": folder, "UPGRADE": names}
    try:
        code = _exit_code(knobs)
    except OSError as error:
        raise SutraError(f"update: {LOCK}: {error.strerror}", "run it in the checkout") from error
    if code:
        raise SutraError(
            f"update: packages/{folder}: its locks cannot be written, all are as they were",
            "read the lines above, then run the same command again",
        )


def _exit_code(environment: Mapping[str, str]) -> int:
    """Run scripts/lock.sh. An interrupt ends it with all that it started, before this raises.

    Else uv or cargo would write a lock after it was put back. Each of them holds the pipe open
    until it has ended.
    """
    reader, writer = os.pipe()
    process = None
    with open(reader, "rb") as held:
        try:
            with lock_copies.uninterrupted():
                process = _started(environment, writer)
            return process.wait()
        except BaseException:
            if process:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                held.read()
            raise


def _started(environment: Mapping[str, str], pipe: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen([LOCK], env=environment, process_group=0, pass_fds=[pipe])
    finally:
        os.close(pipe)
