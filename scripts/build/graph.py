"""The build graph: roots, bases, services, and the files of the repository behind each.

Read from the bake file's own plan and the Dockerfiles; nothing is built and no engine is asked.
"""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.build import dockerfile, dockerignore
from scripts.build.dockerignore import Ignored
from scripts.common.errors import SutraError

GROUPS = ("prod", "dev", "test")
# the group of images that are in no release, which a bake file may leave out
ON_REQUEST = "on-request"
# a change of it may change every image
BAKE_FILE = "docker-bake.hcl"
TARGET = "target:"
TEST = "-test"


@dataclass(frozen=True)
class Node:
    """One target of the bake file: the images it is tagged as, and what it is made of.

    `files` are paths and globs of the repository, of which `ignored` has what does not get into
    the build unless it is in `always`; `needs` are targets, `roots` images from outside.
    """

    name: str
    kind: str  # "base", "service", "test" or "builder"
    tags: tuple[str, ...]
    files: frozenset[str]
    needs: frozenset[str]
    roots: frozenset[str]
    always: frozenset[str]
    ignored: Ignored

    def takes(self, file: str) -> bool:
        """Return whether a change of a file of the repository may change what is built."""
        if any(matches(file, pattern) for pattern in self.always):
            return True
        # a changed folder, "vendored/", may hold any changed file
        return self.names(file) and (file.endswith("/") or not self.ignored.has(file))

    def names(self, path: str) -> bool:
        """Return whether a path of the repository is one of `files`, or below one."""
        return any(matches(path, pattern) for pattern in self.files)


def read(plan: Mapping[str, Any], folder: Path = Path()) -> dict[str, Node]:
    """Return the targets of a plan by name. Raises SutraError for what cannot be read."""
    targets = plan.get("target") or {}
    return {name: _node(name, target, folder) for name, target in sorted(targets.items())}


def _node(name: str, target: Mapping[str, Any], folder: Path) -> Node:
    context = str(target.get("context") or ".")
    place = posixpath.normpath(posixpath.join(context, target.get("dockerfile") or "Dockerfile"))
    try:
        text = (folder / place).read_text(encoding="utf-8")
    except OSError as error:
        raise SutraError(
            f"{place}: cannot be read: {error.strerror}", f"{BAKE_FILE} names it in target.{name}"
        ) from error
    stages = dockerfile.stages(place, text, target.get("args") or {})
    files, images = dockerfile.reached(stages, target.get("target") or "")
    contexts = target.get("contexts") or {}
    needs, roots, folders = set(), set(), set()
    for image in images:
        context_of = contexts.get(image) or contexts.get(image.removesuffix(":latest")) or ""
        if context_of.startswith(TARGET):
            needs.add(context_of.removeprefix(TARGET))
        elif context_of and ":" not in context_of:
            folders.add(posixpath.normpath(context_of))
        else:
            roots.add(image)
    paths = {posixpath.normpath(posixpath.join(context, file)) for file in files} | folders
    # BuildKit takes the first of the two lists that is there
    lists = (f"{place}{dockerignore.NAME}", posixpath.join(context, dockerignore.NAME))
    always = {place, *map(posixpath.normpath, lists)}
    tags = tuple(target.get("tags") or ())
    return Node(
        name,
        _kind(name, context, tags),
        tags,
        frozenset(paths | always),
        frozenset(needs),
        frozenset(roots),
        frozenset(always | folders),
        dockerignore.read(context, place, folder),
    )


def _kind(name: str, context: str, tags: Sequence[str]) -> str:
    if name.endswith(TEST):
        return "test"
    if not tags:
        return "builder"
    return "service" if context == "." else "base"


def below(nodes: Mapping[str, Node], name: str) -> list[Node]:
    """Return a target and all that it is made of."""
    reached: dict[str, Node] = {}
    names_left = [name]
    while names_left:
        target = names_left.pop()
        if target in nodes and target not in reached:
            reached[target] = nodes[target]
            names_left += nodes[target].needs
    return list(reached.values())


def matches(file: str, pattern: str) -> bool:
    """Return whether a file of the repository is what a path or glob names, or below it.

    A folder, "vendored/", is one in which any file may have changed.
    """
    if file.endswith("/"):
        return _may_hold(file, pattern) or matches(file.rstrip("/"), pattern)
    return (
        pattern == "."
        or file == pattern
        or file.startswith(f"{pattern}/")
        or fnmatch.fnmatchcase(file, pattern)
    )


def _may_hold(folder: str, pattern: str) -> bool:
    """Return whether what a path or glob names may be in a folder."""
    above = "/".join(pattern.split("/")[: folder.count("/")])
    return fnmatch.fnmatchcase(folder.rstrip("/"), above)


def affected(nodes: Mapping[str, Node], files: Iterable[str]) -> dict[str, list[str]]:
    """Return the targets with tags, and tests, that a change of `files` rebuilds, and by which."""
    changed = sorted(set(files))
    reasons = {}
    for name, node in nodes.items():
        if node.kind == "builder":
            continue
        targets = below(nodes, name)
        if because := [
            file
            for file in changed
            if file == BAKE_FILE or any(target.takes(file) for target in targets)
        ]:
            reasons[name] = because
    return reasons


def called(nodes: Mapping[str, Node], name: str) -> str:
    """Return the image that is built from the same files as a target without tags."""
    node = nodes.get(name)
    if node is None or node.kind != "builder":
        return name
    same = (
        base.name
        for base in nodes.values()
        if base.kind == "base" and (base.files, base.roots) == (node.files, node.roots)
    )
    return next(same, name)
