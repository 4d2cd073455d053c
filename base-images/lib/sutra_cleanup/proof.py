"""Prove that the cleaned tree still works, or name the rule that broke it.

Everything that loaded before must load afterwards: the modules of `prove`, every module that
stays, and every entry point that metadata declares. Distributions must be listed as before, with
their modules. On a difference, changes are undone, group by group and then file by file, until
the one that broke it is found.
"""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from . import probe, questions, sandbox
from .blame import Broken, blame
from .errors import CleanupError
from .trash import Trash
from .tree import Plan, folders, show

# time limit for the command of `prove`
SECONDS = 300
Asked = Callable[[Sequence[str], Sequence[str]], dict[str, str]]
_MISSING = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Baseline:
    """The questions to ask again: all modules, and the distributions listed before any change."""

    modules: tuple[str, ...]
    listing: questions.Listing


@dataclass(frozen=True)
class Proven:
    """Numbers of modules and entry points that load as before, and those that `breaks` exempts."""

    modules: int = 0
    entry_points: int = 0
    broken: tuple[str, ...] = ()


def baseline(plan: Plan, python: Sequence[str]) -> Baseline:
    """Ask all questions of the unchanged tree. Raises CleanupError if `prove` fails already."""
    listing = questions.listing(python)
    if isinstance(listing, str):
        raise CleanupError(
            f"importlib.metadata: fails before the cleanup: {listing}",
            "fix the metadata of the distribution that it names, or check --python",
        )
    outcomes = probe.imports(python, plan.manifest.imports)
    if broken := next((name for name in outcomes if outcomes[name] != probe.OK), None):
        raise CleanupError(
            f'{plan.manifest.file.name}: prove.import: fails before the cleanup "{broken}": '
            f"{outcomes[broken]}",
            "install what it needs, or correct the name",
        )
    if failed := _run(plan, python):
        raise CleanupError(
            f"{plan.manifest.file.name}: prove.run: fails before the cleanup: {failed}",
            "correct the command",
        )
    return Baseline(tuple(questions.modules(plan)), listing)


def prove(plan: Plan, python: Sequence[str], before: Baseline, trash: Trash) -> Proven:
    """Return what loads as before. Raises CleanupError with the rule that broke the tree.

    What does not load is asked again in the tree as it was: few modules need that, and
    to ask all of them twice would double the time.
    """
    _require_listed(plan, python, before, trash)
    state = _state(plan)
    declared = {value: (group, name) for group, name, value in sorted(before.listing.entry_points)}
    loads = (probe.imports, before.modules), (probe.entry_points, tuple(declared))
    modules, points = _ask(plan, python, trash, loads)
    _require_same(state, _state(plan))
    broken = [
        *(_module(python, name, text) for name, text in modules.broken.items()),
        *(_entry_point(python, v, text, *declared[v]) for v, text in points.broken.items()),
    ]
    forbidden = [failure for failure in broken if not _may_break(plan, failure)]
    for number, failure in enumerate(forbidden):
        # modules that only load after others never loaded alone: the cleanup is not to blame
        if failure.still() and not _as_it_was(trash, failure.still):
            others = forbidden[number + 1 :]
            below = f"{failure.module}."  # goes with it
            more = sum(not other.module.startswith(below) for other in others)
            raise blame(plan, failure, trash, more)
    if problem := _run(plan, python):
        still = partial(_run, plan, python)
        raise blame(plan, Broken(f'"{" ".join(plan.manifest.run)}"', "", problem, still), trash)
    allowed = (failure.module for failure in broken if failure not in forbidden)
    return Proven(modules.loaded, points.loaded, tuple(sorted(set(allowed))))


@dataclass(frozen=True)
class _Answers:
    """The number of modules that load, and the errors of those that no longer do."""

    loaded: int
    broken: dict[str, str]


def _ask(
    plan: Plan, python: Sequence[str], trash: Trash, loads: Sequence[tuple[Asked, Sequence[str]]]
) -> list[_Answers]:
    """Ask all of `loads`, and in one visit of the tree as it was what failed of all of them."""
    failed = [_failures(ask(python, names)) for ask, names in loads]
    again = [
        [name for name, text in texts.items() if not _is_absent(plan, text)] for texts in failed
    ]

    def failures_as_it_was() -> list[dict[str, str]]:
        pairs = zip(loads, again, strict=True)
        return [_failures(ask(python, names)) if names else {} for (ask, _), names in pairs]

    before = _as_it_was(trash, failures_as_it_was) if any(again) else failed
    return [
        _Answers(
            len(names) - len(texts), {name: texts[name] for name in to_ask if name not in failures}
        )
        for (_, names), texts, to_ask, failures in zip(loads, failed, again, before, strict=True)
    ]


def _failures(outcomes: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in outcomes.items() if text != probe.OK}


def _is_absent(plan: Plan, text: str) -> bool:
    """Return whether the missing module was never part of the tree."""
    missing = _MISSING.fullmatch(text)
    return missing is not None and missing[1].partition(".")[0] not in plan.tops


def _as_it_was(trash: Trash, ask: Callable[[], Found]) -> Found:
    """Ask in the tree as it was, then make all changes again."""
    numbers = trash.standing()
    trash.put_all_back()
    try:
        return ask()
    finally:
        trash.take_out_again(numbers)


def _may_break(plan: Plan, broken: Broken) -> bool:
    """Return whether a rule says that this module, or an entry point in it, may break."""
    patterns = (pattern for rule in plan.manifest.rules for pattern in rule.breaks)
    return any(fnmatch.fnmatchcase(broken.module, pattern) for pattern in patterns)


def _module(python: Sequence[str], name: str, text: str) -> Broken:
    return Broken(f'"{name}"', name, text, partial(_alone, python, probe.imports, name))


def _entry_point(python: Sequence[str], value: str, text: str, group: str, name: str) -> Broken:
    still = partial(_alone, python, probe.entry_points, value)
    module = value.partition(":")[0].partition("[")[0].strip()
    return Broken(f'entry point "{name}" of "{group}"', module, text, still)


def _alone(python: Sequence[str], ask: Asked, name: str) -> str:
    return ask(python, [name])[name]


def _require_listed(plan: Plan, python: Sequence[str], before: Baseline, trash: Trash) -> None:
    """Raise CleanupError unless all distributions are listed, with entry points and modules."""
    tops = {probe.package(name) for name in before.modules}

    def unlisted() -> str:
        return next(_unlisted(before.listing, questions.listing(python), tops), "")

    if problem := unlisted():
        raise blame(plan, Broken('"importlib.metadata"', "", problem, unlisted), trash)


def _unlisted(
    before: questions.Listing, after: questions.Listing | str, tops: set[str]
) -> Iterator[str]:
    """Yield what importlib.metadata no longer lists; modules only if they are still there."""
    if isinstance(after, str) or after.distributions != before.distributions:
        yield "distributions are no longer listed"
        return
    for group, name, _ in sorted(before.entry_points - after.entry_points):
        yield f'entry point "{name}" of "{group}" is no longer listed'
    for top, name in sorted(before.providers - after.providers):
        if top in tops:
            yield f'module "{top}" is no longer listed as part of "{name}"'


def _run(plan: Plan, python: Sequence[str]) -> str:
    """Run the manifest's command; return "" on success, else the last line of its stderr."""
    if not plan.manifest.run:
        return ""
    words = [*plan.manifest.run]
    if words[0] == "python":
        words[:1] = python
    try:
        done = sandbox.run(words, sandbox.patience(SECONDS))
    except subprocess.TimeoutExpired:
        return f"no answer in {sandbox.patience(SECONDS)} s"
    except OSError as error:
        return str(error)
    return "" if done.code == 0 else done.last_line


def _state(plan: Plan) -> dict[str, tuple[int, int]]:
    """Return the size and modification time of every file in the tree."""
    root = os.fspath(plan.tree)
    files = {}
    for folder in folders(root):
        with os.scandir(f"{root}/{folder}") as items:
            for item in items:
                if not item.is_dir(follow_symlinks=False):
                    stat = item.stat(follow_symlinks=False)
                    files[folder + item.name] = stat.st_size, stat.st_mtime_ns
    return files


def _require_same(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> None:
    """Raise CleanupError when a program that an import started wrote into the tree."""
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            raise CleanupError(
                f'cleanup: an import changed the tree "{show(path)}"',
                "import the modules by hand to find which one; imports must not change the tree",
            )
