"""Steps that change a checkout, all of them or none."""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from scripts.common import files
from scripts.common.errors import DiskError, SutraError, unexpected

Undo = Callable[[], None]
# folder of removed files until all steps are done
ASIDE = ".removed-"


@dataclass(frozen=True)
class Write:
    """A file gets a text; `before` is None for a new one."""

    file: Path
    text: str
    before: str | None = None
    mode: int = 0o644

    destroys = False

    def shown(self) -> list[str]:
        """Return it as lines for a person."""
        if self.before is None:
            return [f"write {self.file}"]
        lines = difflib.unified_diff(self.before.splitlines(), self.text.splitlines(), n=0)
        changes = [f"  {line}" for line in lines if not line.startswith(("---", "+++", "@@"))]
        return [f"change {self.file}", *changes]

    def do(self) -> Undo:
        """Write it; return what takes it back. Raises SutraError where it is not as planned."""
        new_folders = _made_folders(self.file.parent)
        partial = self.file.with_name(f"{self.file.name}.{os.getpid()}")
        before = self.file.read_bytes() if os.path.lexists(self.file) else None
        if before != (None if self.before is None else self.before.encode()):
            raise SutraError(
                f"{self.file}: changed meanwhile, nothing was done",
                "another run or an editor wrote it; run the same command again",
            )
        mode = self.file.stat().st_mode & 0o777 if before is not None else self.mode
        with _folders_gone_on_error(new_folders):
            files.replace(self.file, self.text, partial)
        self.file.chmod(mode)

        def undo() -> None:
            if before is None:
                self.file.unlink()
                _remove_folders(new_folders)
            else:
                self.file.write_bytes(before)
                self.file.chmod(mode)

        return undo


@dataclass(frozen=True)
class Move:
    """A file or folder gets another name."""

    source: Path
    target: Path

    destroys = False

    def shown(self) -> list[str]:
        """Return it as lines for a person."""
        return [f"move {self.source} to {self.target}"]

    def do(self) -> Undo:
        """Move it; return what takes it back."""
        self.source.rename(self.target)

        def undo() -> None:
            self.target.rename(self.source)

        return undo


@dataclass(frozen=True)
class Remove:
    """A file or folder goes; `what` says what it holds."""

    place: Path
    what: str

    destroys = True

    @property
    def aside(self) -> Path:
        """Its place until all steps are done."""
        return self.place.with_name(f"{ASIDE}{self.place.name}")

    def shown(self) -> list[str]:
        """Return it as lines for a person."""
        return [f"remove {self.place} ({self.what})"]

    def do(self) -> Undo:
        """Move it aside; return what takes it back."""
        self.place.rename(self.aside)

        def undo() -> None:
            self.aside.rename(self.place)

        return undo


Step = Write | Move | Remove


def in_order(steps: Sequence[Step]) -> list[Step]:
    """Return the steps with those that destroy something first."""
    return sorted(steps, key=lambda step: not step.destroys)


def apply(steps: Sequence[Step], who: str) -> None:
    """Do all steps; where one fails, take back those before it. Raises DiskError."""
    undone: list[Undo] = []
    try:
        for step in steps:
            undone.append(step.do())
    except BaseException as error:
        stuck = _taken_back(undone)
        if not stuck and not isinstance(error, OSError):
            raise
        outcome = f"not taken back: {'; '.join(stuck)}" if stuck else "nothing was changed"
        tip = "`git status` shows what changed" if stuck else "`df -h .` and `ls -ld .`"
        raise DiskError(f"{who}: {_problem(error)}", tip, f"; {outcome}") from error
    for step in steps:
        if isinstance(step, Remove):
            _delete(step.aside, who)


def _delete(place: Path, who: str) -> None:
    try:
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()
    except OSError as error:
        raise DiskError(
            f"{who}: {_problem(error)}",
            f"all else is done: remove {place} with the rights that it needs",
            f'; what was removed is left in "{place}"',
        ) from error


def _taken_back(undone: Sequence[Undo]) -> list[str]:
    """Undo all that can be undone, the last first; return a line for what cannot."""
    stuck = []
    for undo in reversed(undone):
        try:
            undo()
        except OSError as error:
            stuck.append(_problem(error))
    return stuck


def _problem(error: BaseException) -> str:
    if isinstance(error, OSError):
        return f'cannot change "{error.filename or "the checkout"}": {error.strerror}'
    return "interrupted" if isinstance(error, KeyboardInterrupt) else unexpected(error)


def _made_folders(folder: Path) -> list[Path]:
    """Return the folders that are to be made, innermost first."""
    return [ancestor for ancestor in (folder, *folder.parents) if not ancestor.exists()]


@contextmanager
def _folders_gone_on_error(folders: Sequence[Path]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        _remove_folders(folders)
        raise


def _remove_folders(folders: Sequence[Path]) -> None:
    """Remove folders that are empty again."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
