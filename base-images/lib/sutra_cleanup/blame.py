"""Find the change that broke something, and the manifest entry that would prevent it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from . import bytecode, descriptions
from .errors import BrokenTreeError, Fix
from .trash import Trash
from .tree import Plan, show

KEEP = "add a keep glob for that file, or remove the rule"


@dataclass(frozen=True)
class Broken:
    """A break, with the module that it is or is in, and its message.

    `still` asks it again: it returns "" once all is well.
    """

    what: str
    module: str
    said: str
    still: Callable[[], str]


@dataclass(frozen=True)
class Guilt:
    """The cause, a file where one alone is enough, and the numbers of the changes."""

    cause: str
    path: str
    numbers: tuple[int, ...] = ()


def blame(plan: Plan, broken: Broken, trash: Trash, more: int = 0) -> BrokenTreeError:
    """Put everything back and return the error that names the cause; `more` others broke too."""
    guilt = guilty(trash, broken.still)
    fix = _fix(plan, guilt, broken, trash)
    cause = "docstrings" if fix.kind == "docstrings" else guilt.cause
    shown = f' "{show(guilt.path)}"' if guilt.path else ""
    others = f" (+{more} more)" if more else ""
    only = ", or stand_in: true where it is only imported" if guilt.path.endswith(".so") else ""
    return BrokenTreeError(
        f"{broken.what}: {broken.said}: by {cause}{shown}{others}",
        f"{plan.manifest.file.name}: {fix.text()}{only if fix.kind == 'keep' else ''}"
        if fix.kind
        else KEEP,
        fix,
    )


def guilty(trash: Trash, still: Callable[[], str]) -> Guilt:
    """Put every change back; return the cause and the file that break `still` when done again.

    The file is "" where no change of that cause breaks it alone.
    """
    groups: dict[str, list[int]] = {}
    for number in trash.standing():
        groups.setdefault(trash.changes[number].cause, []).append(number)
    trash.put_all_back()
    for cause, numbers in groups.items():
        if _breaks(trash, numbers, still):
            return _one_file(trash, cause, numbers, still)
    return Guilt("several causes together", "")


def _one_file(trash: Trash, cause: str, numbers: list[int], still: Callable[[], str]) -> Guilt:
    """Halve the changes for as long as one half alone breaks it."""
    while len(numbers) > 1:
        half, rest = numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]
        part = next((part for part in (half, rest) if _breaks(trash, part, still)), None)
        if part is None:
            return Guilt(cause, "", tuple(numbers))
        numbers = part
    change = trash.changes[numbers[0]]
    return Guilt(cause, change.path or change.added[0], tuple(numbers))


def _breaks(trash: Trash, numbers: list[int], still: Callable[[], str]) -> bool:
    """Make those changes alone, ask, and take them back."""
    trash.take_out_again(numbers)
    try:
        return bool(still())
    finally:
        trash.put_back(numbers)


def _fix(plan: Plan, guilt: Guilt, broken: Broken, trash: Trash) -> Fix:
    """Return the entry of a manifest that leaves whole what broke."""
    place = show(plan.inside(guilt.path) or guilt.path)
    if guilt.cause == bytecode.CAUSE:
        dropped = _is_for_docstrings(plan, guilt, trash, broken.still)
        package = f"{broken.module.partition('.')[0]}/"
        return Fix("docstrings" if dropped else "cached", place or package)
    if guilt.cause in ("strip", "dedupe", descriptions.CAUSE):
        return Fix(guilt.cause)
    return Fix("keep", place) if place and guilt.cause.startswith("rule ") else Fix()


def _is_for_docstrings(plan: Plan, guilt: Guilt, trash: Trash, still: Callable[[], str]) -> bool:
    """Return whether the same bytecode with its docstrings breaks nothing."""
    changed = [trash.changes[number] for number in guilt.numbers]
    dropped = [c for c in changed if c.path and plan.manifest.drops_docstrings(c.path)]
    if not dropped:
        return False
    root = os.fspath(plan.tree)
    trash.take_out_again(guilt.numbers)
    try:
        for number in guilt.numbers:
            change = trash.changes[number]
            if change in dropped:
                bytecode.compile_whole(trash.original(number), f"{root}/{change.added[0]}", root)
        return not still()
    finally:
        trash.put_back(guilt.numbers)
