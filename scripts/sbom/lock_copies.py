"""Copies of locks beside them while they are written; to rename one back needs no space."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from scripts.common.errors import DiskError, SutraError

# suffix of a lock as it was
BEFORE = ".before"


@contextmanager
def all_or_none(locks: Callable[[], Iterable[Path]]) -> Iterator[None]:
    """Leave all locks that `locks` names as they were, or none that is new, where the body fails.

    A lock that is a link stays one. Raises SutraError where a lock cannot be copied, or cannot
    be put back.
    """
    paths = [path.resolve() for path in locks() if path.exists()]
    copies = {path: path.with_name(path.name + BEFORE) for path in paths}
    _copy(copies)
    try:
        yield
    except BaseException:
        with uninterrupted():
            new = {path.resolve() for path in locks()} - {*copies}
            _put_back(copies, new)
        raise
    with uninterrupted():
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
def uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM until the body has ended; then raise KeyboardInterrupt."""
    came: list[int] = []
    earlier = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler or signal.SIG_DFL)
    if came:
        raise KeyboardInterrupt
