"""Raising a budget takes a reason, which reports print."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from scripts.catalog.catalog import OTHER_BASES, Budget, Catalog
from scripts.common.check_result import RELEASE
from scripts.common.errors import SutraError
from scripts.common.units import format_size, parse_size

SIZES = ("installed", "download")
# as many committed versions of the file are looked at: bounds the time
VERSIONS = 50
# ten times as quick, where PyYAML was built with it
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Past:
    """A budget as one version of the file had it: bytes by size, and its reason."""

    sizes: Mapping[str, int]
    because: str


Version = Mapping[str, Past]  # by path: "images.sutra-api.budget"


def refuse_raises(promises: Catalog) -> None:
    """Raise SutraError when a budget is larger than it was, and no new `because:` says why.

    Each is held against the lowest that it was in git since its `because:` was
    last given or changed. Without git, or without an earlier version, nothing was
    raised; a shallow clone, which may hide earlier versions, is told on stderr.
    """
    history = list(_history(promises.path))
    for path, budget in _budgets(promises):
        now = Past({size: getattr(budget, size) for size in SIZES}, budget.because)
        versions = [now, *(version[path] for version in history if path in version)]
        for size, lowest in _lowest(versions).items():
            if now.sizes[size] > lowest:
                raise SutraError(
                    f"{promises.path}: {path}.{size}: raised "
                    f'"{format_size(now.sizes[size])}", it was {format_size(lowest)}',
                    f"say why {'anew ' if now.because else ''}in {path}.because, or lower it again",
                )


def _lowest(versions: list[Past]) -> dict[str, int]:
    """Return the smallest bytes since the last new reason; `versions` are newest first.

    A reason that was taken out counts on: else giving it again would be a new one.
    """
    reasons: list[str] = []
    known = ""
    for version in reversed(versions):
        known = version.because or known
        reasons.insert(0, known)
    since = len(list(takewhile(lambda reason: reason == reasons[0], reasons)))
    return {size: min(past.sizes[size] for past in versions[:since]) for size in SIZES}


def _budgets(promises: Catalog) -> list[tuple[str, Budget]]:
    places = [(f"images.{one.name}", (one.budget, *one.others)) for one in promises.images]
    places.append((RELEASE, (promises.release, *promises.others)))
    return [(f"{path}.{budget.key}", budget) for path, found in places for budget in found]


# ---- the file's earlier versions -------------------------------------------


def _history(path: Path) -> Iterator[Version]:
    """Yield what git has of the file, newest first.

    By first parents, where each version follows the one before it: a branch's own
    come from elsewhere.
    """
    wanted = f"--format=%H:./{path.name}"
    names = _git(path, "log", "--first-parent", wanted, f"-{VERSIONS}", "--", path.name)
    found = list(_texts(_git(path, "cat-file", "--batch", said=names))) if names else []
    if len(found) < VERSIONS and _git(path, "rev-parse", "--is-shallow-repository") == b"true\n":
        print(
            f"{path}: budgets: raised ones may pass, in a shallow clone with "
            f'"{len(found)}" versions of the file (`git fetch --unshallow` gets all)',
            file=sys.stderr,
        )
    yield from map(_version, found)


def _texts(batch: bytes) -> Iterator[bytes]:
    """Yield the contents in what `git cat-file --batch` says; a missing one has a line alone."""
    while batch:
        header, _, batch = batch.partition(b"\n")
        if not header.endswith(b" missing"):
            size = int(header.rpartition(b" ")[2])
            yield batch[:size]
            batch = batch[size + 1 :]


def _version(text: bytes) -> Version:
    """Return the budgets of one version; what is of another form than today's is left out."""
    try:
        content = yaml.load(text, _LOADER)  # noqa: S506 - both are safe ones
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    top = _mapping(content)
    places = [(f"images.{name}", image) for name, image in _mapping(top.get("images")).items()]
    return dict(_pasts([*places, (RELEASE, top.get("release"))]))


def _pasts(places: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Past]]:
    for path, place in places:
        outer = _mapping(_mapping(place).get("budget"))
        others = {f"{path}.budget.{base}": _mapping(outer.get(base)) for base in OTHER_BASES}
        for key, budget in {f"{path}.budget": outer, **others}.items():
            try:
                sizes = {size: parse_size(str(budget[size])) for size in SIZES}
            except (KeyError, ValueError):
                continue
            yield key, Past(sizes, str(budget.get("because") or ""))


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else {}


def _git(path: Path, *words: str, said: bytes = b"") -> bytes:
    """Return what git says, nothing where there is none or it fails."""
    try:
        return subprocess.run(
            ["git", *words], cwd=path.absolute().parent, capture_output=True, input=said
        ).stdout
    except OSError:
        return b""
