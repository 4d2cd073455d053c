"""Questions to a tree before and after the cleanup: modules, entry points, distributions."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from . import sandbox, stand_in
from .tree import Plan

SUFFIXES = (".py", ".pyc", ".so")
# seconds in which an interpreter lists what is installed
SECONDS = 120
_LIST = """
import json, os, sys
from importlib import metadata as m
distributions = list(m.distributions())
# an environment may see its interpreter's own packages too
prefix = os.path.realpath(sys.prefix)
inside = [d for d in distributions if os.path.realpath(d.locate_file("")).startswith(prefix)]
print(json.dumps([
    sorted(f"{d.name}=={d.version}" for d in distributions),
    sorted({(p.group, p.name, p.value) for d in inside for p in d.entry_points}),
    {top: sorted(map(str, set(names))) for top, names in m.packages_distributions().items()},
]))
"""


@dataclass(frozen=True)
class Listing:
    """The answers of importlib.metadata: "name==version", entry points as (group, name, value),
    and the distributions of each top-level module."""

    distributions: tuple[str, ...]
    entry_points: frozenset[tuple[str, str, str]]
    providers: frozenset[tuple[str, str]]


def modules(plan: Plan) -> list[str]:
    """Return the modules to import: those of `prove`, then all that stay in a packages folder.

    Not `__main__`: to import it is to run a program.
    """
    names = dict.fromkeys(plan.manifest.imports)
    for entry in plan.entries:
        inside = plan.inside(entry.path)
        stays = not entry.leaves or stand_in.has_one(plan, entry)
        if inside and stays and not entry.is_link:
            names.update(dict.fromkeys(_modules(inside)))
    return list(names)


def _modules(path: str) -> Iterator[str]:
    """Yield the dotted name of a path that can be imported."""
    *folders, name = path.split("/")
    stem = name.partition(".")[0]
    parts = [*folders, *([] if stem == "__init__" and folders else [stem])]
    is_one = name.endswith(SUFFIXES) and all(part.isidentifier() for part in parts)
    if is_one and not {"__pycache__", "__main__"} & set(parts) and not parts[0].startswith("__"):
        yield ".".join(parts)


def listing(python: Sequence[str]) -> Listing | str:
    """Ask what is installed; return why that fails, if it does."""
    try:
        done = sandbox.run([*python, "-c", _LIST], sandbox.patience(SECONDS))
    except subprocess.TimeoutExpired:
        return f"no answer in {sandbox.patience(SECONDS)} s"
    if done.code:
        return done.last_line
    try:
        # the output of .pth files comes first
        distributions, points, providers = json.loads(done.out.strip().splitlines()[-1])
        return Listing(
            tuple(distributions),
            frozenset((group, name, value) for group, name, value in points),
            frozenset((top, name) for top, names in providers.items() for name in names),
        )
    except (ValueError, IndexError, TypeError, AttributeError) as error:
        return f"no list of distributions: {error}"
