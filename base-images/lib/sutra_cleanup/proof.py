"""Show that the cleaned tree still works, and name the guilty rule where it does not.

What loaded before must load afterwards: the modules of `prove`, and every
top-level module of every installed distribution. Distributions must be listed as
before. On a difference changes are put back, group by group and then file by
file, until it is known which one broke the module.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from . import probe
from .errors import CleanupError
from .trash import Trash
from .tree import SITE, Plan, show

SUFFIXES = (".py", ".pyc", ".so")


@dataclass(frozen=True)
class Baseline:
    """What held before anything was changed: answers of imports, and the distributions."""

    imports: dict[str, str]
    distributions: str
    run: str


def modules(plan: Plan) -> list[str]:
    """Return the modules to import: those of `prove`, then every top-level one installed."""
    found = dict.fromkeys(plan.manifest.imports)
    for entry in plan.entries:
        site = SITE.match(entry.path)
        if site and not entry.is_link:
            found.update(dict.fromkeys(_top_level(entry.path[site.end() :])))
    return list(found)


def _top_level(path: str) -> Iterator[str]:
    top, _, rest = path.partition("/")
    name = top.split(".", 1)[0] if not rest else top
    is_module = top.endswith(SUFFIXES) if not rest else rest.startswith("__init__.")
    if is_module and name.isidentifier() and not name.startswith("__"):
        yield name


def baseline(plan: Plan, python: Sequence[str]) -> Baseline:
    """Ask all questions of the tree as it is. Raises CleanupError when `prove` fails already."""
    listed, distributions = _distributions(python)
    if not listed:
        raise CleanupError(
            f"importlib.metadata: fails before the cleanup: {distributions}",
            "mend the metadata of the distribution that it names, or check --python",
        )
    found = Baseline(probe.imports(python, modules(plan)), distributions, _run(plan, python))
    broken = [name for name in plan.manifest.imports if found.imports[name] != probe.OK]
    if broken:
        raise CleanupError(
            f'{plan.manifest.file.name}: prove.import: fails before the cleanup "{broken[0]}": '
            f"{found.imports[broken[0]]}",
            "install what it needs, or mend the name",
        )
    if found.run:
        raise CleanupError(
            f"{plan.manifest.file.name}: prove.run: fails before the cleanup: {found.run}",
            "mend the command",
        )
    return found


def prove(plan: Plan, python: Sequence[str], before: Baseline, trash: Trash) -> int:
    """Return how many modules load as before, or raise CleanupError with the guilty rule."""
    after = probe.imports(python, list(before.imports))
    for name, said in after.items():
        if said != probe.OK and before.imports[name] == probe.OK:
            raise _blame(name, said, trash, partial(_alone, python, name))
    as_before = True, before.distributions
    if _distributions(python) != as_before:
        raise _blame(
            "importlib.metadata", "distributions are no longer listed", trash,
            lambda: "" if _distributions(python) == as_before else "differs",
        )  # fmt: skip
    if said := _run(plan, python):
        raise _blame(" ".join(plan.manifest.run), said, trash, lambda: _run(plan, python))
    return sum(said == probe.OK for said in after.values())


def _alone(python: Sequence[str], module: str) -> str:
    return probe.imports(python, [module])[module]


def _blame(what: str, said: str, trash: Trash, still: Callable[[], str]) -> CleanupError:
    cause, path = guilty(trash, still)
    shown = f' "{show(path)}"' if path else ""
    return CleanupError(
        f'cleanup: broke "{what}": {said}: by {cause}{shown}',
        "keep that file by a keep glob, or take the rule out",
        exit_code=1,
    )


def guilty(trash: Trash, still: Callable[[], str]) -> tuple[str, str]:
    """Put every change back; return the cause and the file that break `still` when done anew.

    The file is "" where no change of that cause breaks it alone.
    """
    groups: dict[str, list[int]] = {}
    for number in trash.standing():
        groups.setdefault(trash.changes[number].cause, []).append(number)
    trash.put_all_back()
    for cause, numbers in groups.items():
        if _breaks(trash, numbers, still):
            return cause, _one_file(trash, numbers, still)
    return "several causes together", ""


def _one_file(trash: Trash, numbers: list[int], still: Callable[[], str]) -> str:
    """Halve the changes for as long as one half alone breaks it."""
    while len(numbers) > 1:
        half, rest = numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]
        part = next((part for part in (half, rest) if _breaks(trash, part, still)), None)
        if part is None:
            return ""
        numbers = part
    change = trash.changes[numbers[0]]
    return change.path or change.made[0]


def _breaks(trash: Trash, numbers: list[int], still: Callable[[], str]) -> bool:
    """Make those changes alone, ask, and take them back."""
    trash.take_out_again(numbers)
    try:
        return bool(still())
    finally:
        trash.put_back(numbers)


def _distributions(python: Sequence[str]) -> tuple[bool, str]:
    """Return True and the distributions that are listed, or False and why they are not."""
    ask = (
        "from importlib.metadata import distributions as d;"
        "print(*sorted(f'{x.name}=={x.version}' for x in d()), sep='\\n')"
    )
    done = subprocess.run(
        [*python, "-c", ask], capture_output=True, text=True, check=False, env=probe.ENVIRONMENT
    )
    return (True, done.stdout) if done.returncode == 0 else (False, _last_line(done))


def _run(plan: Plan, python: Sequence[str]) -> str:
    """Run the manifest's command; return "" for success, else its last line of stderr."""
    if not plan.manifest.run:
        return ""
    words = [*plan.manifest.run]
    if words[0] == "python":
        words[:1] = python
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, timeout=probe.SECONDS,
            env=probe.ENVIRONMENT,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else _last_line(done)


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a program that failed said last."""
    return (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
