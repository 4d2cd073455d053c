"""Raising a budget takes a reason, which reports print.

The earlier values are git's. Where git cannot tell them the check cannot be made, and that is
an error: the knob ALLOW_UNCOMPARED skips it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from scripts.catalog.budget import OTHERS, Budget
from scripts.catalog.catalog import Catalog
from scripts.common import git
from scripts.common.check_result import RELEASE
from scripts.common.errors import SutraError
from scripts.common.git import GitError
from scripts.common.units import format_size, parse_size

SIZES = ("installed", "download")
# sizes that a budget may do without, each with its attribute
OPTIONAL = {"download.zstd": "download_zstd"}
# most committed versions of the file that are read, to bound the time
VERSIONS = 50
# ten times as quick, where PyYAML was built with it
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Past:
    """A budget as one version of the file had it: bytes by size, and its reason."""

    sizes: Mapping[str, int]
    because: str


class UncomparedError(SutraError):
    """Nobody can tell whether a budget was raised."""

    def __init__(self, path: Path, reason: str, tip: str) -> None:
        super().__init__(
            f"{path}: budgets: cannot check whether one was raised: {reason}",
            f"{tip}; ALLOW_UNCOMPARED=1 skips the comparison",
        )


Version = Mapping[str, Past]  # by path: "images.sutra-api.budget"


def refuse_raises(promises: Catalog, allow_uncompared: bool = False) -> None:
    """Raise SutraError when a budget is larger than it was, and no new `because:` says why.

    Each is held against the lowest that it was in git since its `because:` was last given or
    changed. Also raised where git cannot tell: a damaged repository, another owner's, a
    shallow clone that may hide earlier versions. `allow_uncompared` prints that one instead.
    In no repository there is nothing to compare with, which is printed.
    """
    try:
        history = list(_history(promises.path))
    except UncomparedError as error:
        if not allow_uncompared:
            raise
        print(error.message, file=sys.stderr)
        return
    for path, budget in _budgets(promises):
        sizes = {size: getattr(budget, size) for size in SIZES}
        more = {size: getattr(budget, name) for size, name in OPTIONAL.items()}
        sizes |= {size: value for size, value in more.items() if value is not None}
        now = Past(sizes, budget.because)
        versions = [now, *(version[path] for version in history if path in version)]
        for size, lowest in _lowest(versions).items():
            if now.sizes[size] > lowest:
                raise SutraError(
                    f"{promises.path}: {path}.{size}: raised "
                    f'"{format_size(now.sizes[size])}", it was {format_size(lowest)}',
                    f"give {'a new' if now.because else 'the'} reason in {path}.because, "
                    "or lower it again",
                )


def _lowest(versions: list[Past]) -> dict[str, int]:
    """Return the smallest bytes since the last new reason; `versions` are newest first.

    A reason that was taken out counts on: else giving it again would be a new one.
    """
    reasons: list[str] = []
    reason = ""
    for version in reversed(versions):
        reason = version.because or reason
        reasons.insert(0, reason)
    since = len(list(takewhile(lambda reason: reason == reasons[0], reasons)))
    return {
        size: min(past.sizes[size] for past in versions[:since] if size in past.sizes)
        for size in versions[0].sizes
    }


def _budgets(promises: Catalog) -> list[tuple[str, Budget]]:
    places = [(f"images.{image.key}", (image.budget, *image.others)) for image in promises.images]
    places.append((RELEASE, (promises.release, *promises.others)))
    return [(f"{path}.{budget.key}", budget) for path, budgets in places for budget in budgets]


# ---- the file's earlier versions -------------------------------------------


def _history(path: Path) -> Iterator[Version]:
    """Yield what git has of the file, newest first. Raises UncomparedError.

    By first parents, where each version follows the one before it: a branch's own
    come from elsewhere.
    """
    folder = path.absolute().parent
    try:
        if not git.commit(folder):
            _refuse_hidden(path, folder)
            print(f"{path}: budgets: not compared with earlier ones, no commit", file=sys.stderr)
            return
        texts = list(_texts(folder, path.name, _commits(folder, path.name)))
        others = list(_texts(folder, path.name, _of_other_roots(folder)))
        shallow = git.ask("rev-parse", "--is-shallow-repository", folder=folder) == b"true\n"
    except GitError as error:
        raise UncomparedError(path, error.message, error.tip) from error
    if len(texts) < VERSIONS and shallow:
        reason = f'a shallow clone has "{len(texts)}" versions of the file'
        raise UncomparedError(path, reason, f"`git fetch --unshallow` gets all, {git.AGAIN}")
    yield from map(_version, [*texts, *others])


def _refuse_hidden(path: Path, folder: Path) -> None:
    """Raise UncomparedError where this branch has no commit, and the repository has others."""
    if git.has_branches(folder):
        reason = "this branch has no commit, and others have"
        raise UncomparedError(path, reason, f"`git switch` to one that has, {git.AGAIN}")


def _commits(folder: Path, name: str) -> list[bytes]:
    """Return the commits of this branch that changed the file, newest first."""
    words = ("rev-list", "--first-parent", f"--max-count={VERSIONS}", "HEAD", "--", name)
    return git.ask(*words, folder=folder).split()


def _of_other_roots(folder: Path) -> list[bytes]:
    """Return the branches and tags that share no commit with this branch, while it is young.

    A branch that begins anew (`git switch --orphan`) would else compare with nothing.
    """
    newest = ("rev-list", "--first-parent", f"--max-count={VERSIONS}", "HEAD")
    if len(git.ask(*newest, folder=folder).split()) == VERSIONS:
        return []
    words = ("for-each-ref", f"--count={VERSIONS}", "--no-merged=HEAD", "--format=%(refname)")
    places = ("refs/heads", "refs/remotes", "refs/tags")
    names = git.ask(*words, "--sort=-creatordate", *places, folder=folder).split(b"\n")
    own = _roots(folder, "HEAD")
    return [name for name in names if name and not own & _roots(folder, os.fsdecode(name))]


def _roots(folder: Path, name: str) -> set[bytes]:
    """Return the commits without a parent that a branch or tag is built on."""
    return set(git.ask("rev-list", "--max-parents=0", name, "--", folder=folder).split())


def _texts(folder: Path, name: str, commits: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the file's content in each of the commits; one that removed it has none."""
    names = b"".join(b"%b:./%b\n" % (commit, os.fsencode(name)) for commit in commits)
    batch = git.ask("cat-file", "--batch", folder=folder, input_bytes=names)
    for commit in commits:
        header, _, batch = batch.partition(b"\n")
        if header.endswith(b" missing"):
            _refuse_lost(folder, name, commit.decode())
            continue
        size = int(header.rpartition(b" ")[2])
        yield batch[:size]
        batch = batch[size + 1 :]


def _refuse_lost(folder: Path, name: str, commit: str) -> None:
    """Raise GitError where a commit has the file, but the repository lost its content."""
    if git.ask("ls-tree", commit, "--", name, folder=folder):
        raise GitError(
            f"git cat-file {commit[:12]}:{name}", "missing from the repository", git.REPAIR
        )


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
        others = {f"{path}.budget.{base}": _mapping(outer.get(base)) for base in OTHERS}
        for key, budget in {f"{path}.budget": outer, **others}.items():
            try:
                there = [*SIZES, *(size for size in OPTIONAL if size in budget)]
                sizes = {size: parse_size(str(budget[size])) for size in there}
            except (KeyError, ValueError):
                continue
            yield key, Past(sizes, str(budget.get("because") or ""))


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else {}
