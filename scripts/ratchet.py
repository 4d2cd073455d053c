"""Raising a budget takes a reason, which reports print."""

from __future__ import annotations

import subprocess
from pathlib import Path

from scripts import catalog
from scripts.catalog import Budget, Catalog
from scripts.checks import RELEASE
from scripts.errors import SutraError
from scripts.units import format_size

SIZES = ("installed", "download")


def refuse_raises(promises: Catalog) -> None:
    """Raise SutraError when a budget is larger than it was in git, and no `because:` says why.

    What was is the last commit's file; where the file is unchanged since, that
    before the commit which changed it. Without git, or without an earlier
    version, nothing was raised.
    """
    earlier = _earlier(promises.path)
    if earlier is None:
        return
    for path, new in _budgets(promises):
        old = dict(_budgets(earlier)).get(path)
        for size in SIZES:
            was, is_now = getattr(old, size, 0), getattr(new, size)
            if old and is_now > was and not new.because:
                raise SutraError(
                    f"{promises.path}: {path}.budget.{size}: raised "
                    f'"{format_size(is_now)}", it was {format_size(was)}',
                    f"say why in {path}.budget.because, or lower it again",
                )


def _budgets(promises: Catalog) -> list[tuple[str, Budget]]:
    images = [(f"images.{image.name}", image.budget) for image in promises.images]
    return [*images, (RELEASE, promises.release)]


def _earlier(path: Path) -> Catalog | None:
    commits = _git(path, "log", "--format=%H", "-2", "--", path.name).split()
    for commit in commits:
        text = _git(path, "show", f"{commit}:./{path.name}")
        if text and text != path.read_text(encoding="utf-8"):
            try:
                return catalog.parse(path, text)
            except SutraError:  # of another form than today's: nothing to compare with
                return None
    return None


def _git(path: Path, *words: str) -> str:
    """Return what git says, "" where there is none or it fails."""
    try:
        return subprocess.run(
            ["git", *words],
            cwd=path.absolute().parent,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        ).stdout
    except OSError:
        return ""
