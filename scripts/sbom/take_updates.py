"""Take newer versions into the locks: all of them, or none where one cannot be taken."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.common.errors import DiskError, SutraError
from scripts.debian import packages_lock, updates
from scripts.sbom import locked
from scripts.sbom.locks import folder_of
from scripts.sbom.outdated import DEB, Outdated, Row

SECURITY, DEBIAN = "security", "debian"
ONLY = ("", SECURITY, DEBIAN)
LOCK = "scripts/lock.sh"
# scripts/lock.sh takes every name of a lock to its newest version
ALL = "all"
# suffix of a lock as it was, while locks are written
BEFORE = ".before"


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
        folder: ",".join(sorted(wanted)) if only == SECURITY else ALL
        for folder, wanted in sorted(names.items())
    }


def take(found: Outdated, rows: Sequence[Row], only: str, environment: Mapping[str, str]) -> None:
    """Write the locks. Raises SutraError, with every lock as it was, where that fails."""
    wanted = calls(rows, only)
    with _all_or_none(wanted):
        debs = {row.name for row in rows if row.kind == DEB}
        if debs and found.lock:
            packages_lock.write(updates.updated_lock(found.lock, debs, found.offers, found.day))
        for folder, names in wanted.items():
            _lock(folder, names, environment)


def held_back(rows: Iterable[Row], images: Sequence[str]) -> list[str]:
    """Return the names that the locks still have at the earlier version."""
    left = {(one.kind, one.name, one.version) for one in locked.read(images)}
    if lock := packages_lock.read():
        left |= {(DEB, package.name, package.version) for package in lock.packages}
    names = {(row.kind, row.name) for row in rows if (row.kind, row.name, row.locked) in left}
    return sorted(name for _, name in names)


def _locks(folders: Iterable[str]) -> list[Path]:
    return [path for each in folders for path in sorted(Path("packages", each).glob("*.lock"))]


@contextmanager
def _all_or_none(wanted: Mapping[str, str]) -> Iterator[None]:
    """Keep a copy beside each lock, and rename it back on failure: that needs no space.

    A lock that is a link stays one. A new lock is removed on failure.
    """
    paths = [path.resolve() for path in (packages_lock.LOCK, *_locks(wanted)) if path.exists()]
    copies = {path: path.with_name(path.name + BEFORE) for path in paths}
    _copy(copies)
    try:
        yield
    except BaseException:
        with _uninterrupted():
            new = {path.resolve() for path in (packages_lock.LOCK, *_locks(wanted))} - {*copies}
            _put_back(copies, new)
        raise
    for copy in copies.values():
        copy.unlink()


def _copy(copies: Mapping[Path, Path]) -> None:
    """Copy each lock. Raises SutraError, with none copied, where that fails or a copy is there."""
    for path, copy in copies.items():
        if copy.exists():  # no run that ends, ends with it
            raise SutraError(
                f'update: an earlier run was killed: "{_shown(copy)}" is a lock as it was before',
                f"`mv {_shown(copy)} {_shown(path)}` brings it back, `rm {_shown(copy)}` "
                "keeps the one that is there",
            )
    try:
        for path, copy in copies.items():
            shutil.copy2(path, copy)
    except BaseException as error:
        for copy in copies.values():
            copy.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise DiskError(
            f"update: cannot copy a lock: {error}", "`df -h .` and `ls -l` say more"
        ) from error


def _put_back(copies: Mapping[Path, Path], new: Iterable[Path]) -> None:
    """Rename every copy back; raises DiskError for the first one that cannot be."""
    failed: list[tuple[Path, OSError]] = []
    for path, copy in copies.items():
        try:
            copy.replace(path)
        except OSError as error:
            failed.append((_shown(path), error))
    for path in new:
        path.unlink(missing_ok=True)
    for name, why in failed:
        raise DiskError(
            f'update: cannot put back "{name}": {why.strerror}',
            f"`git checkout {name}` brings the lock of the last commit back, "
            f"{name}{BEFORE} is the one before this run",
        ) from why


def _shown(path: Path) -> Path:
    """Return the path as a person in the checkout types it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold back a second Ctrl-C until what was begun is taken back."""
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)


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
    with open(reader, "rb") as held:
        try:
            process = subprocess.Popen([LOCK], env=environment, process_group=0, pass_fds=[writer])
        finally:
            os.close(writer)
        try:
            return process.wait()
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            held.read()
            raise
