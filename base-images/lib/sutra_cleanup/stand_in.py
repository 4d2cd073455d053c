"""Replacements for extension modules that are removed although something imports them.

A package may import a large library of its own whatever is used of it. Where a rule
says `stand_in: true`, a module of a few lines takes the place of each extension module
that leaves: it can be imported, names can be taken from it, and whoever calls,
compares, counts or tests one of them gets an error that names the rule. So nothing
goes on quietly without what was removed.
"""

from __future__ import annotations

import os

from . import bytecode
from .errors import CleanupError
from .manifest import Rule
from .trash import Trash
from .tree import Entry, Plan

_SOURCE = '''\
"""Stands in for an extension module that this image leaves out."""

_SAID = {said!r}


class _LeftOut:
    """A name of that module: it can be handed on, and not used."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _LeftOut(self._name + "." + name)

    def _refuse(self, *_, **__):
        raise RuntimeError(_SAID + ' "' + self._name + '"')

    __call__ = __bool__ = __int__ = __index__ = __float__ = __complex__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = _refuse
    __len__ = __iter__ = __next__ = __getitem__ = __contains__ = __array__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = _refuse
    __truediv__ = __rtruediv__ = __or__ = __ror__ = __and__ = __rand__ = _refuse
    __enter__ = __exit__ = __str__ = __format__ = __fspath__ = _refuse


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return _LeftOut(name)
'''


def module(path: str) -> str:
    """Return the path of the module that replaces the extension at `path`."""
    folder, name = os.path.split(path)
    return os.path.join(folder, name.split(".", 1)[0] + ".py")


def has_one(plan: Plan, entry: Entry) -> bool:
    """Return whether a replacement module is written for a removed entry."""
    return not entry.is_link and plan.rule(entry.removed or 0).stand_in


def modules(plan: Plan) -> list[str]:
    """Return the paths of all modules that stand in for an extension, as sources."""
    return [module(entry.path) for entry in plan.leaving if has_one(plan, entry)]


def source(rule: Rule, path: str) -> str:
    """Return the source of the module that replaces the extension at `path`."""
    shown = os.path.basename(module(path)).removesuffix(".py")
    return _SOURCE.format(
        said=f'{shown}: left out by rule "{rule.name}" of {rule.file.name}, so there is no'
    )


def replace(plan: Plan, entry: Entry, trash: Trash, cause: str, shown_as: str) -> None:
    """Move the extension `entry` aside and put its stand-in there, as bytecode is wanted.

    `cause` is what the changes are known by. Raises CleanupError where a module of that name
    is there already.
    """
    rule = plan.rule(entry.removed or 0)
    path, root = module(entry.path), os.fspath(plan.tree)
    for beside in (path, path + "c"):
        if os.path.lexists(f"{root}/{beside}"):
            raise CleanupError(
                f'{rule.file.name}: rules.{rule.name}.stand_in: there already "{beside}"',
                "remove stand_in from the rule: that module is loaded instead",
            )
    number = len(trash.changes)
    ready = trash.spare(f"stand-in-{number}.py")
    with open(ready, "w", encoding="utf-8") as file:
        file.write(source(rule, entry.path))
    files = bytecode.files_of(plan, path, ready, trash.spare(f"stand-in-{number}.pyc"), shown_as)
    trash.move(cause, entry.path, added=tuple(files))
    for target, built in files.items():
        os.makedirs(os.path.dirname(f"{root}/{target}"), exist_ok=True)
        os.rename(built, f"{root}/{target}")
